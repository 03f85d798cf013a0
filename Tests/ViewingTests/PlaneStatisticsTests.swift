import Testing
import Viewing

@Suite struct PlaneStatisticsTests {
  /// As numpy: linear between the two values around (n - 1) q.
  private func percentile(_ values: [Float], _ percent: Double) -> Double {
    let sorted = values.filter(\.isFinite).sorted(), place = percent / 100 * Double(sorted.count - 1)
    let (low, high) = (Double(sorted[Int(place)]), Double(sorted[min(sorted.count - 1, Int(place) + 1)]))
    return low + (high - low) * (place - place.rounded(.down))
  }

  private func noise(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) / Float(1 << 24) - 0.25
    }
  }

  @Test(
    "Percentiles are exact, whatever the values",
    arguments: ["noise", "outliers", "few", "equal", "one", "wide", "steps"])
  func percentiles(_ kind: String) {
    let values: [Float] =
      switch kind {
      case "noise": noise(100_000, seed: 1)
      case "outliers": noise(50_000, seed: 2) + [3e38, -3e38, .nan, .infinity]
      case "few": noise(7, seed: 3)
      case "equal": [Float](repeating: 2.5, count: 9000)
      case "one": [4]
      case "wide":
        (0..<20_000).map { Float(sign: $0 % 2 == 0 ? .plus : .minus, exponent: $0 % 250 - 120, significand: 1.5) }
      default: (0..<30_000).map { Float($0 % 3) }
      }
    let statistics = PlaneStatistics(values)
    for (percent, found) in zip(PlaneStatistics.shown, statistics.percentiles) {
      #expect(found == percentile(values, percent), "\(percent) %")
    }
    let finite = values.filter(\.isFinite)
    #expect(statistics.count == finite.count && statistics.notFinite == values.count - finite.count)
    #expect(statistics.low == finite.min() && statistics.high == finite.max())
    #expect(statistics.counts.count == PlaneStatistics.binCount && statistics.counts.reduce(0, +) == finite.count)
  }

  @Test("Values that are no numbers have no statistics")
  func nothing() {
    let statistics = PlaneStatistics([.nan, .infinity])
    #expect(statistics.count == 0 && statistics.notFinite == 2 && statistics.low == 0 && statistics.high == 0)
    #expect(statistics.percentiles.allSatisfy { $0 == 0 })
  }

  @Test("A region's mean and deviation are of its finite values, in doubles; a line's values are those under it")
  func measures() throws {
    let values = noise(65 * 100, seed: 4).enumerated().map { $0.offset == 1000 ? .nan : $0.element }
    let plane = Plane(columns: 65, rows: 100, values: values, generations: [1])
    let measure = try #require(plane.measure(columns: 3..<61, rows: 7..<99))
    let inside = (7..<99).flatMap { row in (3..<61).map { values[row * 65 + $0] } }.filter(\.isFinite).map(Double.init)
    let mean = inside.reduce(0, +) / Double(inside.count)
    let deviation = (inside.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(inside.count)).squareRoot()
    #expect(measure.count == inside.count && abs(measure.mean - mean) < 1e-14)
    #expect(abs(measure.deviation - deviation) < 1e-14 && Double(measure.low) == inside.min())
    #expect(Double(measure.high) == inside.max())
    #expect(plane.measure(columns: 25..<26, rows: 15..<16) == nil)
    #expect(plane.line(from: (5, 9), to: (5, 9)) == [values[9 * 65 + 5]])
    let backwards = stride(from: 10, through: 4, by: -1).map { (column: Int) -> Float in values[3 * 65 + column] }
    #expect(plane.line(from: (10, 3), to: (4, 3)) == backwards)
    #expect(plane.line(from: (0, 0), to: (20, 10)).count == 21)
  }
}
