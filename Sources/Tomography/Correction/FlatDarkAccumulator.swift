package import Host

/// Averages the flat and dark fields of a range of detector rows, one field at a time.
///
/// Means are taken in `Double`, pixel by pixel and in the order of the fields, so that they do not depend on how rows
/// are divided among workers; for integer counts the sums are exact and the order does not matter either. NaN and
/// infinite pixels are left out of the mean.
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
    flats = FieldMean(pixelCount: rows * columns)
    darks = FieldMean(pixelCount: rows * columns)
  }

  /// Flat fields added so far.
  package var flatCount: Int { flats.fieldCount }
  /// Dark fields added so far.
  package var darkCount: Int { darks.fieldCount }

  /// Adds a flat field (beam, no sample): `rows` × `columns` pixels, row by row, at any alignment.
  package mutating func add(flat: UnsafeRawBufferPointer, type: PixelType) { flats.add(flat, type: type) }

  /// Adds a dark field (no beam): `rows` × `columns` pixels, row by row, at any alignment.
  package mutating func add(dark: UnsafeRawBufferPointer, type: PixelType) { darks.add(dark, type: type) }

  /// The mean flat field at a pixel; NaN where no flat had a finite value.
  func flatMean(at pixel: Int) -> Double { flats.mean(at: pixel) }

  /// The mean dark field at a pixel: 0 without dark fields, NaN where none of them had a finite value.
  func darkMean(at pixel: Int) -> Double { darkCount == 0 ? 0 : darks.mean(at: pixel) }
}

/// Running sums of one kind of field.
private struct FieldMean: Sendable {
  private(set) var fieldCount = 0
  private var sums: [Double]
  private var finiteCounts: [UInt32]

  init(pixelCount: Int) {
    sums = Array(repeating: 0, count: pixelCount)
    finiteCounts = Array(repeating: 0, count: pixelCount)
  }

  mutating func add(_ field: UnsafeRawBufferPointer, type: PixelType) {
    let count = sums.count
    precondition(
      field.count == count * type.byteCount,
      "a field of \(field.count) B where \(count) pixels of \(type) were expected")
    fieldCount += 1
    sums.withUnsafeMutableBufferPointer { sums in
      finiteCounts.withUnsafeMutableBufferPointer { finiteCounts in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { values in
          // The three buffers hold exactly `count` elements, and nothing reads `values` before it is written.
          type.widen(field.baseAddress!, count: count, into: values.baseAddress!)
          for pixel in 0..<count {
            let value = values[pixel]
            sums[pixel] += value.isFinite ? Double(value) : 0
            finiteCounts[pixel] &+= value.isFinite ? 1 : 0
          }
        }
      }
    }
  }

  func mean(at pixel: Int) -> Double {
    finiteCounts[pixel] == 0 ? .nan : sums[pixel] / Double(finiteCounts[pixel])
  }
}
