import Host

/// Running sums of one kind of field, from which its mean follows, and how far its values lie from that.
///
/// A row's intensity T differs from field to field as the beam does, so a pixel's value v is compared with its part of
/// T, a T with a = Σ T v / Σ T². T is the sum of the row's values, of which those that stand out far are cut off, so
/// that a zinger in a short row does not pass for the beam.
///
/// Of each pixel the values with the highest and the lowest v / T are kept. One of these is an **outlier**, and left
/// out of the mean, where it differs from what all others but these two let expect by a tenth, and by eight standard
/// deviations of the photon noise that the row's pixels show. So a zinger in one of the fields is not in their mean,
/// and where there is none the mean is that of all.
struct FieldMean: Sendable {
  private(set) var fieldCount = 0
  private let columns: Int
  private var sums: [Double]
  private var finiteCounts: [UInt32]
  /// Σ v² and Σ T v of each pixel.
  private var squares, products: [Double]
  /// Σ T² of each row.
  private var intensities: [Double]
  private var highest, lowest: [Extreme]

  /// The value of a pixel in a field, and the row's intensity there.
  private struct Extreme: Sendable {
    var value: Float
    var intensity: Float

    var ratio: Float { value / intensity }
  }

  private static let fieldsMin = 3
  private static let deviationsMin = 8.0
  private static let partMin = 0.1
  private static let highestShare = 64

  /// Sums of nothing.
  init(rows: Int, columns: Int) {
    let count = rows * columns
    self.columns = columns
    sums = Array(repeating: 0, count: count)
    finiteCounts = Array(repeating: 0, count: count)
    (squares, products) = (sums, sums)
    intensities = Array(repeating: 0, count: rows)
    highest = Array(repeating: Extreme(value: -.infinity, intensity: 1), count: count)
    lowest = Array(repeating: Extreme(value: .infinity, intensity: 1), count: count)
  }

  /// Bytes of the sums and extremes of so many pixels.
  static func byteCount(rows: Int, columns: Int) -> Int { rows * columns * (3 * 8 + 4 + 2 * 8) + rows * 8 }

  /// Adds a field: rows × columns pixels, at any alignment.
  mutating func add(_ field: UnsafeRawBufferPointer, type: PixelType) {
    precondition(
      field.count == sums.count * type.byteCount,
      "a field of \(field.count) B where \(sums.count) pixels of \(type) were expected")
    fieldCount += 1
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { values in
      // A row of `columns` pixels lies behind each pointer, and nothing reads `values` before it is written.
      for row in intensities.indices {
        type.widen(field.baseAddress! + row * columns * type.byteCount, count: columns, into: values.baseAddress!)
        add(UnsafeBufferPointer(values), row: row)
      }
    }
  }

  private mutating func add(_ values: UnsafeBufferPointer<Float>, row: Int) {
    let intensity = intensity(values)
    intensities[row] += intensity * intensity
    let part = Float(intensity)
    for (column, value) in values.enumerated() where value.isFinite {
      let pixel = row * columns + column
      sums[pixel] += Double(value)
      finiteCounts[pixel] &+= 1
      squares[pixel] += Double(value) * Double(value)
      products[pixel] += intensity * Double(value)
      guard part > 0 else { continue }
      let extreme = Extreme(value: value, intensity: part)
      if extreme.ratio > highest[pixel].ratio { highest[pixel] = extreme }
      if extreme.ratio < lowest[pixel].ratio { lowest[pixel] = extreme }
    }
  }

  /// The sum of the finite values, each at most half more than the highest but a 64th of them.
  private func intensity(_ values: UnsafeBufferPointer<Float>) -> Double {
    let high = withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { finite in
      var count = 0
      for value in values where value.isFinite {
        finite[count] = value
        count += 1
      }
      let rank = count - 1 - max(1, count / Self.highestShare)
      return rank < 0 ? Float.infinity : select(rank, of: finite.baseAddress!, count: count)
    }
    let limit = high > 0 ? high * 1.5 : .infinity
    return values.reduce(0) { $0 + ($1.isFinite ? Double(min($1, limit)) : 0) }
  }

  /// The variance around a T; nil with fewer than two fields, or where one had no finite value.
  func variance(at pixel: Int) -> Double? {
    let intensity = intensities[pixel / columns]
    guard fieldCount >= 2, intensity > 0, Int(finiteCounts[pixel]) == fieldCount else { return nil }
    return max(0, squares[pixel] - products[pixel] * products[pixel] / intensity) / Double(fieldCount - 1)
  }

  /// The mean of each pixel, without outliers; NaN where no field had a finite value.
  func means() -> [Double] {
    intensities.indices.flatMap { row -> [Double] in
      let gain = fieldCount >= Self.fieldsMin ? gain(row: row) : 0
      return (row * columns..<(row + 1) * columns).map { mean(at: $0, row: row, gain: gain) }
    }
  }

  private func mean(at pixel: Int, row: Int, gain: Double) -> Double {
    let count = Int(finiteCounts[pixel])
    guard count > 0 else { return .nan }
    let (high, low) = (highest[pixel], lowest[pixel])
    // Where all are equal, the first one is both.
    guard fieldCount >= Self.fieldsMin, count == fieldCount, high.value.isFinite, low.value.isFinite,
      high.ratio > low.ratio
    else { return sums[pixel] / Double(count) }
    let others = [high, low].reduce((products: products[pixel], squares: intensities[row])) {
      let (value, intensity) = (Double($1.value), Double($1.intensity))
      return ($0.products - value * intensity, $0.squares - intensity * intensity)
    }
    guard others.squares > intensities[row] * 1e-6 else { return sums[pixel] / Double(count) }
    let share = others.products / others.squares
    let outliers = [high, low].filter { extreme in
      let expected = share * Double(extreme.intensity)
      let least = max(
        Self.deviationsMin * (gain * max(expected, 0)).squareRoot(),
        Self.partMin * max(expected, Double(extreme.intensity) / Double(columns)))
      return abs(Double(extreme.value) - expected) > least
    }
    return outliers.reduce(sums[pixel]) { $0 - Double($1.value) } / Double(count - outliers.count)
  }

  /// Detector units for a photon: the median over the row's pixels of variance over mean.
  private func gain(row: Int) -> Double {
    let pixels = row * columns..<(row + 1) * columns
    var ratios = pixels.compactMap { pixel -> Float? in
      guard sums[pixel] > 0, let variance = variance(at: pixel) else { return nil }
      return Float(variance * Double(fieldCount) / sums[pixel])
    }
    guard !ratios.isEmpty else { return 0 }
    let count = ratios.count
    return Double(ratios.withUnsafeMutableBufferPointer { select(count / 2, of: $0.baseAddress!, count: count) })
  }
}
