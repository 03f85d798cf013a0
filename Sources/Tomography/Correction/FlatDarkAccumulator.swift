package import Host

/// Averages the flat and dark fields of a range of detector rows, one field at a time.
///
/// Means are taken in `Double`, pixel by pixel and in the order of the fields, so that they do not depend on how rows
/// are divided among workers; for integer counts the sums are exact and the order does not matter either. NaN and
/// infinite pixels are left out of the mean, and so is an outlier of each side, as a zinger is (`FieldMean`).
package struct FlatDarkAccumulator: Sendable {
  /// Detector rows that are averaged.
  package let rows: Int
  /// Detector columns.
  package let columns: Int
  private var flats: FieldMean
  private var darks: FieldMean

  /// An accumulator of `rows` × `columns` pixels that has seen no field yet.
  package init(rows: Int, columns: Int) {
    precondition(rows > 0 && columns > 0, "a field of \(rows) × \(columns) pixels")
    self.rows = rows
    self.columns = columns
    flats = FieldMean(rows: rows, columns: columns)
    darks = FieldMean(rows: rows, columns: columns)
  }

  /// Bytes that an accumulator of so many pixels holds, of flats and darks.
  package static func byteCount(rows: Int, columns: Int) -> Int {
    2 * FieldMean.byteCount(rows: rows, columns: columns)
  }

  /// Flat fields added so far.
  package var flatCount: Int { flats.fieldCount }
  /// Dark fields added so far.
  package var darkCount: Int { darks.fieldCount }

  /// Adds a flat field (beam, no sample): `rows` × `columns` pixels, row by row, at any alignment.
  package mutating func add(flat: UnsafeRawBufferPointer, type: PixelType) { flats.add(flat, type: type) }

  /// Adds a dark field (no beam): `rows` × `columns` pixels, row by row, at any alignment.
  package mutating func add(dark: UnsafeRawBufferPointer, type: PixelType) { darks.add(dark, type: type) }

  /// The mean flat field of each pixel; NaN where no flat had a finite value.
  func flatMeans() -> [Double] { flats.means() }

  /// How far a flat's value at a pixel lies from what the row's intensity in that flat lets expect: the variance over
  /// the flats. Nil where flats are fewer than two, or had no finite value there.
  func flatVariance(at pixel: Int) -> Double? { flats.variance(at: pixel) }

  /// The mean dark field of each pixel: 0 without dark fields, NaN where none of them had a finite value.
  func darkMeans() -> [Double] { darkCount == 0 ? Array(repeating: 0, count: rows * columns) : darks.means() }
}
