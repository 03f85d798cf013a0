import Host
import Rings
import RunModel
package import Tomography
import Topics

/// Looks whether the sample reaches beyond the detector, which is asked of the whole scan: whoever looks sees the same
/// rows of the same projections, and comes to the same, at any time.
package struct SampleLook: Sendable {
  /// Rows of an image.
  private let rows: Int
  /// Columns of it.
  private let columns: Int
  /// Whether the data are counts that become line integrals by −log.
  private let minusLog: Bool
  /// Edges of the detector at which the sample may leave it.
  private let sides: SampleEdges.Sides

  /// Rows, projections, and flats and darks that are looked at, evenly spread.
  private static let (rowsLookedAt, imagesLookedAt) = (8, 32)

  /// Images as given.
  package init(rows: Int, columns: Int, minusLog: Bool, sides: SampleEdges.Sides) {
    precondition(rows > 0 && columns > 0, "images of \(rows) × \(columns)")
    (self.rows, self.columns, self.minusLog, self.sides) = (rows, columns, minusLog, sides)
  }

  /// Whether it does in any of the rows that are looked at. `images` reads the images that are reconstructed, of which
  /// `fields` and `projections` are all, in their order.
  func leaves(
    _ images: some TopicRows, fields all: [(role: ImageRole, sequence: UInt64)], projections: [UInt64]
  ) throws -> Bool {
    let rows = Self.spread(Self.rowsLookedAt, over: Array(0..<self.rows))
    var fields = rows.map { _ in FlatDarkAccumulator(rows: 1, columns: columns) }
    for role in [ImageRole.flat, .dark] {
      let sequences = Self.spread(Self.imagesLookedAt, over: all.filter { $0.role == role }.map(\.sequence))
      try forEachRow(rows, of: sequences, images) { row, _, pixels in
        let bytes = UnsafeRawBufferPointer(start: pixels.base, count: columns * pixels.type.byteCount)
        if role == .flat {
          fields[row].add(flat: bytes, type: pixels.type)
        } else {
          fields[row].add(dark: bytes, type: pixels.type)
        }
      }
    }
    let corrections = fields.map {
      Correction(rows: 1, columns: columns, flats: $0, minusLog: minusLog, nonNegative: false)
    }
    let sequences = Self.spread(Self.imagesLookedAt, over: projections)
    return try lines(rows, of: sequences, images, corrections).contains {
      SampleEdges.reachBeyond($0, columns: columns, sides: sides)
    }
  }

  /// The same where the end of the images is event `end` of the topic, for who has no list of them.
  func leaves(_ images: some TopicRows, before end: UInt64) throws -> Bool {
    var (fields, projections): ([(role: ImageRole, sequence: UInt64)], [UInt64]) = ([], [])
    var next: UInt64 = 0
    while next < end {
      switch try images.arrival(at: next, rows: 0..<1) {
      case .lost(let range): next = max(next + 1, range.upperBound)
      case .event(let event):
        switch ImageRole(event.header.kind) {
        case .projection: projections.append(next)
        case .some(let role): fields.append((role, next))
        case nil: throw StageError.disorder("\(event.header.kind) among the images at \(next)")
        }
        next += 1
      }
    }
    return try leaves(images, fields: fields, projections: projections)
  }

  /// Line integrals of some rows of some projections.
  private func lines(
    _ rows: [Int], of sequences: [UInt64], _ images: some TopicRows, _ corrections: [Correction]
  ) throws -> [[Float]] {
    var silent = rows.map { _ in SilentPixels(rows: 1, columns: columns) }
    if minusLog {
      try forEachRow(rows, of: sequences, images) { row, _, pixels in
        corrections[row].note(pixels.base, type: pixels.type, in: &silent[row])
      }
    }
    var lines = rows.map { _ in [Float](repeating: 0, count: sequences.count * columns) }
    try forEachRow(rows, of: sequences, images) { row, image, pixels in
      lines[row].withUnsafeMutableBufferPointer {
        _ = corrections[row].apply(
          pixels.base, type: pixels.type, into: $0.baseAddress! + image * columns, silent: silent[row])
      }
    }
    return lines
  }

  /// Hands out the rows of some images, by the numbers of both.
  private func forEachRow(
    _ rows: [Int], of sequences: [UInt64], _ images: some TopicRows,
    _ body: (_ row: Int, _ image: Int, _ pixels: RowPixels) -> Void
  ) throws {
    for (image, sequence) in sequences.enumerated() {
      var table: BandTable?
      for (number, row) in rows.enumerated() {
        let event = try images.event(at: sequence, rows: row..<row + 1, table: &table)
        body(number, image, try RowPixels(event, rows: row..<row + 1, columns: columns))
      }
    }
  }

  /// So many of some values at most, evenly spread, from the middle of their parts.
  static func spread<Value>(_ count: Int, over values: [Value]) -> [Value] {
    let count = min(count, values.count)
    return (0..<count).map { values[(2 * $0 + 1) * values.count / (2 * count)] }
  }
}
