package import Host

/// Pixels that never see anything: at or below the dark field in every projection that was looked at, though their flat
/// field is fine. A sample that turns is opaque for a pixel in some projections, a pixel that is broken in all of them.
///
/// While a scan comes in, its first projections are looked at, in their order; a projection among these knows only what
/// was known when it came, so that a projection that is corrected again has the same bits.
package struct SilentPixels: Sendable {
  /// Projections that are looked at while a scan comes in; afterwards as many as `spread`, from all of it.
  package static let (first, spread) = (16, 32)
  private static let never = UInt8.max

  let rows: Int
  let columns: Int
  /// Projections that were looked at.
  package private(set) var count = 0
  /// The number of the first one in which a pixel was above the dark field.
  private var heard: [UInt8]
  /// Pixels of each row that were not above it in the first projection.
  private var candidates: [[Int32]] = []

  /// Nothing is known yet.
  package init(rows: Int, columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    heard = Array(repeating: Self.never, count: rows * columns)
  }

  /// Bytes of so many pixels.
  package static func byteCount(rows: Int, columns: Int) -> Int { rows * columns }

  /// Takes note of the next projection: `transmissions` of a row, NaN where there is none.
  mutating func note(row: Int, transmissions: UnsafePointer<Float>) {
    let number = UInt8(clamping: count)
    heard.withUnsafeMutableBufferPointer { heard in
      let line = heard.baseAddress! + row * columns
      for column in 0..<columns {
        let isHeard = transmissions[column] >= Correction.transmissionFloor
        line[column] = isHeard ? min(line[column], number) : line[column]
      }
    }
  }

  /// All rows of a projection were noted.
  mutating func endProjection() {
    count += 1
    precondition(count < Int(Self.never), "\(count) projections are looked at")
    guard count == 1 else { return }
    candidates = (0..<rows).map { row in
      (0..<Int32(columns)).filter { heard[row * columns + Int($0)] > 0 }
    }
  }

  /// Makes the pixels of a row NaN that are at or below the dark field in projection `number`, and were so in all that
  /// were looked at by then; gives how many.
  func silence(_ line: UnsafeMutablePointer<Float>, row: Int, number: Int) -> Int {
    guard count > 0 else { return 0 }
    let last = min(number, count - 1)
    var silenced = 0
    for column in candidates[row] {
      let column = Int(column)
      guard Int(heard[row * columns + column]) > last, line[column] < Correction.transmissionFloor else { continue }
      line[column] = .nan
      silenced += 1
    }
    return silenced
  }

  /// Pixels that are silent for all that is known, without those that `isDead` names.
  func silentCount(isDead: (Int) -> Bool) -> Int {
    guard count > 0 else { return 0 }
    return candidates.enumerated().reduce(0) { total, row in
      total
        + row.1.count { column in
          let pixel = row.0 * columns + Int(column)
          return heard[pixel] == Self.never && !isDead(pixel)
        }
    }
  }
}

extension Correction {
  /// Takes note in `silent` of one more projection, of exactly the pixels of this correction.
  package func note(_ counts: UnsafeRawPointer, type: PixelType, in silent: inout SilentPixels) {
    precondition(silent.rows == rows && silent.columns == columns, "silent pixels of other rows")
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { line in
      for row in 0..<rows {
        transmissions(counts, type: type, row: row, into: line.baseAddress!)
        silent.note(row: row, transmissions: line.baseAddress!)
      }
    }
    silent.endProjection()
  }

  /// Pixels that `silent` adds to the dead ones.
  package func silentCount(_ silent: SilentPixels) -> Int { silent.silentCount { isDead($0) } }
}
