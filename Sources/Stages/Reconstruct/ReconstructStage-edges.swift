import Host
import KernelTypes
import Rings
import RunModel
import Tomography
import Topics

// Whether the sample reaches beyond the detector is asked of the whole scan: every worker looks at the same rows of the
// same projections, whichever are its own, so all come to the same, at any time and in any number.
extension ReconstructStage {
  /// Rows, projections, and flats and darks that are looked at, evenly spread.
  private static let (rowsLookedAt, imagesLookedAt) = (8, 32)

  /// Pixels that the grid of the final iterations has more than the detector at each side.
  func pixels(of padding: FinalMethod.Padding) throws -> Int {
    switch padding {
    case .pixels(let pixels): return pixels
    case .whereTheSampleLeaves:
      guard try sampleLeaves() else { return 0 }
      let pixels = padding.pixelsMax(columns: configuration.layout.columns)
      told("the sample reaches beyond the detector: reconstructing \(pixels) pixels more at each side")
      return pixels
    }
  }

  /// Whether it does in any of the rows that are looked at.
  private func sampleLeaves() throws -> Bool {
    let layout = configuration.layout, columns = layout.measured.count
    let rows = Self.spread(Self.rowsLookedAt, over: Array(0..<configuration.detectorRows))
    var fields = rows.map { _ in FlatDarkAccumulator(rows: 1, columns: columns) }
    for role in [ImageRole.flat, .dark] {
      let sequences = fieldImages.filter { $0.role == role }.map(\.sequence)
      try forEachRow(rows, of: Self.spread(Self.imagesLookedAt, over: sequences)) { row, _, pixels in
        let bytes = UnsafeRawBufferPointer(start: pixels.base, count: columns * pixels.type.byteCount)
        if role == .flat {
          fields[row].add(flat: bytes, type: pixels.type)
        } else {
          fields[row].add(dark: bytes, type: pixels.type)
        }
      }
    }
    let corrections = fields.map {
      Correction(rows: 1, columns: columns, flats: $0, minusLog: configuration.minusLog, nonNegative: false)
    }
    let sequences = Self.spread(Self.imagesLookedAt, over: applied.all.map(\.sequence))
    var silent = rows.map { _ in SilentPixels(rows: 1, columns: columns) }
    if configuration.minusLog {
      try forEachRow(rows, of: sequences) { row, _, pixels in
        corrections[row].note(pixels.base, type: pixels.type, in: &silent[row])
      }
    }
    var lines = rows.map { _ in [Float](repeating: 0, count: sequences.count * columns) }
    try forEachRow(rows, of: sequences) { row, image, pixels in
      lines[row].withUnsafeMutableBufferPointer {
        _ = corrections[row].apply(
          pixels.base, type: pixels.type, into: $0.baseAddress! + image * columns, silent: silent[row])
      }
    }
    return lines.contains { SampleEdges.reachBeyond($0, columns: columns, sides: layout.outerSides) }
  }

  /// Hands out the rows of some images, by the numbers of both.
  private func forEachRow(
    _ rows: [Int], of sequences: [UInt64], _ body: (_ row: Int, _ image: Int, _ pixels: RowPixels) -> Void
  ) throws {
    for (image, sequence) in sequences.enumerated() {
      var table: BandTable?
      for (number, row) in rows.enumerated() {
        let event = try projections.event(at: sequence, rows: row..<row + 1, table: &table)
        body(number, image, try RowPixels(event, rows: row..<row + 1, columns: configuration.layout.measured.count))
      }
    }
  }

  /// So many of some values at most, evenly spread, from the middle of their parts.
  static func spread<Value>(_ count: Int, over values: [Value]) -> [Value] {
    let count = min(count, values.count)
    return (0..<count).map { values[(2 * $0 + 1) * values.count / (2 * count)] }
  }
}
