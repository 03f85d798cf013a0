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
  private var spread: FieldSpread?

  /// An accumulator of `rows` × `columns` pixels that has seen no field yet. With `tracksNoise` it also keeps what
  /// `PhotonNoise` needs of the flats.
  package init(rows: Int, columns: Int, tracksNoise: Bool = false) {
    precondition(rows > 0 && columns > 0, "a field of \(rows) × \(columns) pixels")
    self.rows = rows
    self.columns = columns
    flats = FieldMean(pixelCount: rows * columns)
    darks = FieldMean(pixelCount: rows * columns)
    spread = tracksNoise ? FieldSpread(rows: rows, columns: columns) : nil
  }

  /// Bytes that an accumulator of so many pixels holds.
  package static func byteCount(rows: Int, columns: Int, tracksNoise: Bool) -> Int {
    // Sums and counts of flats and darks; squares and products of flats.
    rows * columns * (2 * (8 + 4) + (tracksNoise ? 2 * 8 : 0)) + (tracksNoise ? rows * 8 : 0)
  }

  /// Flat fields added so far.
  package var flatCount: Int { flats.fieldCount }
  /// Dark fields added so far.
  package var darkCount: Int { darks.fieldCount }

  /// Adds a flat field (beam, no sample): `rows` × `columns` pixels, row by row, at any alignment.
  package mutating func add(flat: UnsafeRawBufferPointer, type: PixelType) {
    flats.add(flat, type: type)
    spread?.add(flat, type: type)
  }

  /// Adds a dark field (no beam): `rows` × `columns` pixels, row by row, at any alignment.
  package mutating func add(dark: UnsafeRawBufferPointer, type: PixelType) { darks.add(dark, type: type) }

  /// The mean flat field at a pixel; NaN where no flat had a finite value.
  func flatMean(at pixel: Int) -> Double { flats.mean(at: pixel) }

  /// How far a flat's value at a pixel lies from what the row's intensity in that flat lets expect: the variance over
  /// the flats. Nil where flats are not tracked, are fewer than two, or had no finite value there.
  func flatVariance(at pixel: Int) -> Double? {
    guard let spread, flatCount >= 2, flats.isComplete(at: pixel) else { return nil }
    return spread.variance(at: pixel, row: pixel / columns, fields: flatCount)
  }

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

  func isComplete(at pixel: Int) -> Bool { Int(finiteCounts[pixel]) == fieldCount }

  func mean(at pixel: Int) -> Double {
    finiteCounts[pixel] == 0 ? .nan : sums[pixel] / Double(finiteCounts[pixel])
  }
}

/// Running sums of squares. A row's intensity T differs from field to field as the beam does, so a pixel is compared
/// with its part of T: the variance is that around the line a T through zero, a = Σ T v / Σ T².
private struct FieldSpread: Sendable {
  private let columns: Int
  /// Σ v² and Σ T v of each pixel.
  private var squares, products: [Double]
  /// Σ T² of each row.
  private var intensities: [Double]

  init(rows: Int, columns: Int) {
    self.columns = columns
    squares = Array(repeating: 0, count: rows * columns)
    products = squares
    intensities = Array(repeating: 0, count: rows)
  }

  mutating func add(_ field: UnsafeRawBufferPointer, type: PixelType) {
    let columns = columns
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { values in
      for row in intensities.indices {
        let first = row * columns
        type.widen(field.baseAddress! + first * type.byteCount, count: columns, into: values.baseAddress!)
        var intensity = 0.0
        for value in values { intensity += value.isFinite ? Double(value) : 0 }
        intensities[row] += intensity * intensity
        for (column, value) in values.enumerated() where value.isFinite {
          squares[first + column] += Double(value) * Double(value)
          products[first + column] += intensity * Double(value)
        }
      }
    }
  }

  func variance(at pixel: Int, row: Int, fields: Int) -> Double? {
    guard intensities[row] > 0 else { return nil }
    return max(0, squares[pixel] - products[pixel] * products[pixel] / intensities[row]) / Double(fields - 1)
  }
}
