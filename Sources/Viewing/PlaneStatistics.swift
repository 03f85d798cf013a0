/// What the values of a plane are: their range, a histogram, percentiles. What is no finite number is counted and
/// otherwise left out.
package struct PlaneStatistics: Sendable, Equatable {
  /// Values that are finite numbers.
  package let count: Int
  /// The others.
  package let notFinite: Int
  /// The least value; 0 where there is none.
  package let low: Float
  package let high: Float
  /// Values in each of 1,024 equal parts of the range.
  package let counts: [Int]
  /// By percent, as in `shown`: exactly, linear between two values, as numpy's `percentile` does it.
  package let percentiles: [Double]

  package static let binCount = 1024
  /// The percentiles that are told.
  package static let shown: [Double] = [0.1, 0.5, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.9]

  package init(_ values: [Float]) {
    let finite = values.filter(\.isFinite)
    (count, notFinite) = (finite.count, values.count - finite.count)
    (low, high) = finite.withUnsafeBufferPointer(Self.range)
    counts = finite.withUnsafeBufferPointer { [low, high] in Self.histogram($0, low, high, bins: Self.binCount) }
    percentiles = Self.percentiles(of: finite, Self.shown)
  }

  /// Percentiles of finite numbers; zeros where there are none.
  static func percentiles(of values: [Float], _ percents: [Double]) -> [Double] {
    guard !values.isEmpty else { return percents.map { _ in 0 } }
    let places = percents.map { $0 / 100 * Double(values.count - 1) }
    let lower = places.map { min(values.count - 1, max(0, Int($0))) }
    let upper = lower.map { min(values.count - 1, $0 + 1) }
    let known = ranked(values, Set(lower + upper))
    return places.indices.map { index in
      let (below, above) = (Double(known[lower[index]] ?? 0), Double(known[upper[index]] ?? 0))
      return below + (above - below) * (places[index] - Double(lower[index]))
    }
  }

  /// The values that have these places in the order of size, without sorting all: what falls into the same part of the
  /// range as one of them is looked at again, alone.
  private static func ranked(_ values: [Float], _ ranks: Set<Int>) -> [Int: Float] {
    guard values.count > sortedMax else {
      let sorted = values.sorted()
      return Dictionary(uniqueKeysWithValues: ranks.map { ($0, sorted[$0]) })
    }
    let (low, high) = values.withUnsafeBufferPointer(range)
    guard low < high else { return Dictionary(uniqueKeysWithValues: ranks.map { ($0, low) }) }
    let counts = values.withUnsafeBufferPointer { histogram($0, low, high, bins: rankBins) }
    var (wanted, first) = ([Int: (before: Int, ranks: Set<Int>)](), 0)
    var remaining = ranks.sorted()[...]
    for bin in counts.indices where !remaining.isEmpty {
      let inside = remaining.prefix { $0 < first + counts[bin] }
      if !inside.isEmpty { wanted[bin] = (first, Set(inside.map { $0 - first })) }
      remaining = remaining.dropFirst(inside.count)
      first += counts[bin]
    }
    let pieces = pieces(values, low, high, of: wanted.keys.sorted())
    var found: [Int: Float] = [:]
    for (bin, (before, ranks)) in wanted {
      for (rank, value) in ranked(pieces[bin] ?? [], ranks) { found[before + rank] = value }
    }
    return found
  }

  /// So many are sorted.
  private static let sortedMax = 4096
  private static let rankBins = 1 << 16

  /// The values in some bins.
  private static func pieces(_ values: [Float], _ low: Float, _ high: Float, of bins: [Int]) -> [Int: [Float]] {
    var places = [Int32](repeating: -1, count: rankBins)
    for (place, bin) in bins.enumerated() { places[bin] = Int32(place) }
    var pieces = bins.map { _ in [Float]() }
    let scale = scale(low, high, rankBins)
    for value in values {
      let place = Int(places[bin(value, low, scale, rankBins)])
      if place >= 0 { pieces[place].append(value) }
    }
    return Dictionary(uniqueKeysWithValues: zip(bins, pieces))
  }

  private static func range(_ values: UnsafeBufferPointer<Float>) -> (Float, Float) {
    guard let first = values.first else { return (0, 0) }
    return values.reduce(into: (first, first)) { $0 = (min($0.0, $1), max($0.1, $1)) }
  }

  private static func histogram(_ values: UnsafeBufferPointer<Float>, _ low: Float, _ high: Float, bins: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: bins)
    let scale = scale(low, high, bins)
    for value in values { counts[bin(value, low, scale, bins)] += 1 }
    return counts
  }

  /// In doubles, where the widest range has a width. Rises with the value, so that bins are in order.
  private static func bin(_ value: Float, _ low: Float, _ scale: Double, _ bins: Int) -> Int {
    min(bins - 1, Int((Double(value) - Double(low)) * scale))
  }

  private static func scale(_ low: Float, _ high: Float, _ bins: Int) -> Double {
    low < high ? Double(bins) / (Double(high) - Double(low)) : 0
  }
}
