import Host
import Testing

@testable import Alarms

/// Models against figures that were computed elsewhere: with numpy 2.4 and statsmodels 0.15, or by hand.
@Suite struct ModelTests {
  @Test func `a threshold is passed on its own side only`() {
    var above = ThresholdModel(side: .above, limit: 3), below = ThresholdModel(side: .below, limit: 3)
    #expect([2.0, 3, 3.5].map { above.look($0)?.isAlarm } == [false, false, true])
    #expect([2.0, 3, 3.5].map { below.look($0)?.isAlarm } == [true, false, false])
  }

  /// Jain and Chlamtac work this example through: the median of the 20 values is estimated as 4.44.
  @Test func `P² estimates the median of the published example as published`() throws {
    var estimate = QuantileEstimate(0.5)
    for value in [
      0.02, 0.15, 0.74, 3.39, 0.83, 22.37, 10.15, 15.43, 38.62, 15.92, 34.60, 10.28, 1.47, 0.40, 0.05, 11.39, 0.27,
      0.42, 0.09, 11.37,
    ] { estimate.add(value) }
    #expect(abs(try #require(estimate.value) - 4.44) < 0.005)
  }

  @Test(arguments: [0.1, 0.5, 0.9, 0.99]) func `P² comes near the quantile of many values`(quantile: Double) throws {
    var estimate = QuantileEstimate(quantile)
    var random = Noise(seed: 7)
    var values: [Double] = []
    for _ in 0..<20_000 { values.append(random.normal()) }
    for value in values { estimate.add(value) }
    let exact = values.sorted()[Int(quantile * 20_000)]
    #expect(abs(try #require(estimate.value) - exact) < 0.05)
  }

  /// statsmodels.tsa.api.Holt(y[1:], initialization_method="known", initial_level=y[0], initial_trend=0)
  /// .fit(0.05, 0.02, optimized=False): level, trend and forecast(100)[99] for y = 10 + 0.5 i + sin(i), 80 values.
  @Test func `Holt's forecast is that of statsmodels`() throws {
    var model = HoltModel(side: .above, limit: 60, horizon: 100)
    var verdict: Verdict?
    for i in 0..<80 { verdict = model.look(10 + 0.5 * Double(i) + sine(Double(i))) }
    #expect(abs(model.level - Self.holt.level) < 1e-9 && abs(model.trend - Self.holt.trend) < 1e-9)
    #expect(abs(try #require(verdict?.forecast) - Self.holt.forecast) < 1e-7 && verdict?.isAlarm == true)
  }

  private static let holt = (level: 46.18385367410481, trend: 0.41056128820429394, forecast: 87.2399824945342)

  @Test func `mean and scatter of the warm-up are those of all its values`() {
    var baseline = Baseline(scatterMin: (0, 0))
    for i in 0..<Baseline.warmUp { #expect(baseline.deviation(Double(i * i % 37)) == nil) }
    let values = (0..<Baseline.warmUp).map { Double($0 * $0 % 37) }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
    #expect(abs(baseline.mean - mean) < 1e-12 && abs(baseline.variance - variance) < 1e-9)
  }

  /// After a warm-up of (-1)^i · 2, σ is 2.0101; a step of 3 σ gives (3 − 1) a value, less what is learnt of it.
  @Test func `a cumulative sum rises by the shift less its allowance, and falls again`() {
    var model = CUSUMModel(side: .above, limit: 10, scatterMin: (0, 0))
    for i in 0..<Baseline.warmUp { #expect(model.look(i % 2 == 0 ? 2 : -2) == nil) }
    var steps = 0
    while model.look(8)?.isAlarm == false { steps += 1 }
    // 8 / 2.0101 = 3.98, which is no quiet value: nothing is learnt, and four times 2.98 are above 10.
    #expect(steps == 3 && abs(model.up - 4 * (8 / (4.0 * 100 / 99).squareRoot() - 1)) < 1e-9)
    for _ in 0..<1000 { _ = model.look(8) }
    #expect(model.up == 20)
    var after = 0
    while model.look(0)?.isAlarm == true { after += 1 }
    #expect(after < 11)
    _ = model.look(1000)
    #expect(model.up < 14, "one odd value alone is no alarm")
  }

  /// One side of h = 5, k = 1: Siegmund's approximation says (exp(2 · 6.166) − 13.3) / 2 ≈ 113,000 values.
  @Test func `false alarms of a cumulative sum are as rare as the theory says`() {
    var random = Noise(seed: 3)
    var alarms = 0
    var model = CUSUMModel(side: .above, limit: 3, scatterMin: (0, 0))
    for _ in 0..<400_000 where model.look(random.normal())?.isAlarm == true {
      alarms += 1
      model = CUSUMModel(side: .above, limit: 3, scatterMin: (0, 0))
    }
    // h = 3: (exp(8.33) − 9.33) / 2 ≈ 2,070 values and the warm-up; with scatter from 100 values somewhat more often.
    #expect((120...400).contains(alarms), "\(alarms) alarms, seed 3")
  }

  @Test func `a moving average finds a small shift that lasts`() {
    var random = Noise(seed: 11)
    var model = EWMAModel(side: .above, limit: 6, scatterMin: (0, 0))
    for _ in 0..<3000 { #expect(model.look(random.normal())?.isAlarm != true, "seed 11") }
    let found = (0..<100).contains { _ in model.look(random.normal() + 2.5)?.isAlarm == true }
    #expect(found)
  }

  @Test func `a beam that decays slowly is no alarm, one that is lost is one within two seconds`() {
    var random = Noise(seed: 5)
    var model = CUSUMModel(side: .below, limit: 20, scatterMin: Gauge.intensity.scatterMin)
    // Ten hours, of which each takes 5 %.
    for i in 0..<360_000 {
      let value = 2000 * (1 - 0.05 * Double(i) / 36_000) + 4 * random.normal()
      #expect(model.look(value)?.isAlarm != true, "look \(i), seed 5")
    }
    let looks = (1...100).first { _ in model.look(50 + random.normal())?.isAlarm == true }
    #expect(looks ?? 100 <= 20)
  }

  private func sine(_ x: Double) -> Double {
    // By its series, so that this target needs no library; x is small once whole turns are taken away.
    let turn = 2 * Double.pi, y = x - turn * (x / turn).rounded()
    var (sum, term) = (y, y)
    for n in 1..<20 {
      term *= -y * y / Double((2 * n) * (2 * n + 1))
      sum += term
    }
    return sum
  }
}

/// Normal numbers from a seed, as sums of twelve even ones.
struct Noise {
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  mutating func normal() -> Double {
    (0..<12).reduce(-6) { sum, _ in sum + Double(random.next() >> 11) / 9_007_199_254_740_992 }
  }
}
