/// An exponentially weighted moving average of deviations (S. W. Roberts, Technometrics 1, 1959): finds small shifts
/// that last. Its limit is so many of its own standard deviations, √(λ / (2 − λ)).
struct EWMAModel: AlarmModel {
  /// The weight λ of the newest value.
  static let weight = 0.2

  let side: AlarmSide
  /// In standard deviations of the average.
  let limit: Double
  private var baseline: Baseline
  private var average = 0.0

  init(side: AlarmSide, limit: Double, scatterMin: (share: Double, value: Double)) {
    (self.side, self.limit, baseline) = (side, limit, Baseline(scatterMin: scatterMin))
  }

  mutating func look(_ value: Double) -> Verdict? {
    guard let deviation = baseline.deviation(value) else { return nil }
    average += Self.weight * (deviation - average)
    let score = average / (Self.weight / (2 - Self.weight)).squareRoot()
    return Verdict(
      isAlarm: side != .below && score > limit || side != .above && score < -limit, forecast: score)
  }
}
