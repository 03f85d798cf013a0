package import Host

/// One detector row of a scan as it comes, image by image, from which line integrals are made when somebody asks for
/// them: without the projections and flats that show nothing there, and with pixels interpolated that never see
/// anything.
///
/// What comes out is a function of the images and their sequence. A field may come late: counts are kept, and corrected
/// with all fields that are there when the line integrals are made.
package struct RowCounts: Sendable {
  private let columns: Int
  private let minusLog: Bool
  /// The flats and darks of the row, with what their noise tells.
  package private(set) var fields: FlatDarkAccumulator
  private var (darkSum, flatSum) = (0.0, 0.0)
  private var projections: [Projection] = []

  private struct Projection {
    let theta: Double
    let counts: [UInt8]
    let type: PixelType
    let total: ImageTotal
  }

  /// A row of so many pixels, of which nothing is known yet. With `minusLog` they are counts.
  package init(columns: Int, minusLog: Bool) {
    (self.columns, self.minusLog) = (columns, minusLog)
    fields = FlatDarkAccumulator(rows: 1, columns: columns)
  }

  /// Bytes of a row of so many projections, with its line integrals and what a search for the axis makes of them.
  package static func byteCount(projections: Int, columns: Int, type: PixelType) -> Int {
    projections * columns * (type.byteCount + 4 * MemoryLayout<Float>.stride)
  }

  /// Adds a dark field: `columns` pixels at any alignment.
  package mutating func add(dark: UnsafeRawBufferPointer, type: PixelType) {
    fields.add(dark: dark, type: type)
    darkSum += ImageTotal(dark, type: type).sum
  }

  /// Adds a flat field, unless it shows nothing.
  package mutating func add(flat: UnsafeRawBufferPointer, type: PixelType) {
    let total = ImageTotal(flat, type: type)
    if minusLog, level.isEmpty(flat: total) { return }
    fields.add(flat: flat, type: type)
    flatSum += total.sum
  }

  /// Adds a projection at an angle in radians.
  package mutating func add(projection: UnsafeRawBufferPointer, type: PixelType, theta: Double) {
    precondition(projection.count == columns * type.byteCount, "\(projection.count) B of \(columns) pixels")
    projections.append(
      Projection(
        theta: theta, counts: Array(projection), type: type, total: ImageTotal(projection, type: type)))
  }

  private var level: BeamLevel {
    BeamLevel(darks: (darkSum, fields.darkCount), flats: (flatSum, fields.flatCount))
  }

  /// Line integrals, projection by projection, and the thetas of those that show something.
  package func lineIntegrals() -> (lines: [Float], thetas: [Double]) {
    let level = level, shown = projections.filter { !minusLog || !level.isEmpty(projection: $0.total) }
    let correction = Correction(rows: 1, columns: columns, flats: fields, minusLog: minusLog)
    var silent = SilentPixels(rows: 1, columns: columns)
    if minusLog {
      let count = min(SilentPixels.spread, shown.count)
      for part in 0..<count {
        let projection = shown[part * shown.count / count]
        projection.counts.withUnsafeBytes { correction.note($0.baseAddress!, type: projection.type, in: &silent) }
      }
    }
    var lines = [Float](repeating: 0, count: shown.count * columns)
    lines.withUnsafeMutableBufferPointer { lines in
      for (index, projection) in shown.enumerated() {
        projection.counts.withUnsafeBytes {
          _ = correction.apply(
            $0.baseAddress!, type: projection.type, into: lines.baseAddress! + index * columns, silent: silent)
        }
      }
    }
    return (lines, shown.map(\.theta))
  }
}
