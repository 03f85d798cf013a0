import Host
import Tomography

/// Flats and darks of whole images, and the correction made of them, in bands of rows that are corrected in parallel.
struct FieldBands {
  private let columns: Int
  private var accumulators: [FlatDarkAccumulator]
  private var corrections: [Correction]?
  private var silent: [SilentPixels]

  private static let bandRows = 64

  init(rows: Int, columns: Int) {
    self.columns = columns
    accumulators = stride(from: 0, to: rows, by: Self.bandRows).map {
      FlatDarkAccumulator(rows: min(Self.bandRows, rows - $0), columns: columns)
    }
    silent = accumulators.map { SilentPixels(rows: $0.rows, columns: columns) }
  }

  /// Bytes of the sums of flats and darks, of the corrections made of them, and of silent pixels.
  static func byteCount(rows: Int, columns: Int) -> Int {
    FlatDarkAccumulator.byteCount(rows: rows, columns: columns) + SilentPixels.byteCount(rows: rows, columns: columns)
      + rows * columns * 2 * MemoryLayout<Float>.stride
  }

  /// Pixels that no projection has a value for.
  var deadPixelCount: Int {
    corrections.map { zip($0, silent).reduce(0) { $0 + $1.0.deadPixelCount + $1.0.silentCount($1.1) } } ?? 0
  }

  /// Whether silent pixels are still looked for.
  var listens: Bool { silent[0].count < SilentPixels.first }

  /// Looks for silent pixels in the next one of the first projections.
  mutating func listen(_ pixels: RowPixels) {
    let corrections = made()
    for band in corrections.indices {
      corrections[band].note(
        pixels.row(band * Self.bandRows, columns: columns), type: pixels.type, in: &silent[band])
    }
  }

  /// Flats and darks that were added.
  var counts: (flats: Int, darks: Int) { (accumulators[0].flatCount, accumulators[0].darkCount) }

  /// Adds a flat or dark field. What was corrected before keeps the fields that were known then.
  mutating func add(_ pixels: RowPixels, isFlat: Bool) {
    for band in accumulators.indices {
      let bytes = UnsafeRawBufferPointer(
        start: pixels.row(band * Self.bandRows, columns: columns),
        count: accumulators[band].rows * columns * pixels.type.byteCount)
      if isFlat {
        accumulators[band].add(flat: bytes, type: pixels.type)
      } else {
        accumulators[band].add(dark: bytes, type: pixels.type)
      }
    }
    corrections = nil
  }

  /// The transmissions of an image, which is the newest one: finite, whatever the counts.
  mutating func correct(
    _ pixels: RowPixels, into image: UnsafeMutablePointer<Float>, _ executor: some Executor
  ) -> CorrectionCounts {
    let (corrections, silent) = (made(), silent)
    var counts = Array(repeating: CorrectionCounts(), count: corrections.count)
    counts.withUnsafeMutableBufferPointer { counts in
      // Sound: each item writes its own band's rows and its own count.
      nonisolated(unsafe) let (counts, image) = (counts, image)
      let columns = columns
      executor.forEach(count: corrections.count) { band in
        let row = band * Self.bandRows
        counts[band] = corrections[band].apply(
          pixels.row(row, columns: columns), type: pixels.type, into: image + row * columns, silent: silent[band])
      }
    }
    return counts.reduce(into: CorrectionCounts()) { $0 += $1 }
  }

  private mutating func made() -> [Correction] {
    let made =
      corrections ?? accumulators.map { Correction(rows: $0.rows, columns: columns, flats: $0, minusLog: false) }
    corrections = made
    return made
  }
}
