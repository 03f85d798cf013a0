/// A tabular cumulative sum (E. S. Page, Biometrika 41, 1954) of deviations that are cut off, so that one odd value
/// alone is no alarm (D. M. Hawkins, J. Quality Technology 25, 1993).
///
/// With independent normal values the time between false alarms of one side is about (exp(2 k b) − 2 k b − 1) / (2 k²)
/// values, b = h + 1.166 (D. Siegmund, Sequential Analysis, Springer 1985): for h = 20 longer than the storage ring
/// stands. Values of a run are neither, so h is large.
struct CUSUMModel: AlarmModel {
  /// What each deviation is lowered by, in standard deviations: half of the shift that is found fastest.
  static let allowance = 1.0
  /// A deviation counts for no more.
  static let deviationMax = 4.0

  let side: AlarmSide
  /// In standard deviations.
  let limit: Double
  private var baseline: Baseline
  private(set) var (up, down) = (0.0, 0.0)

  init(side: AlarmSide, limit: Double, scatterMin: (share: Double, value: Double)) {
    (self.side, self.limit, baseline) = (side, limit, Baseline(scatterMin: scatterMin))
  }

  mutating func look(_ value: Double) -> Verdict? {
    guard let deviation = baseline.deviation(value) else { return nil }
    let cut = min(max(deviation, -Self.deviationMax), Self.deviationMax)
    // No more than twice the limit, so that it is soon below it where all is well again.
    up = min(max(0, up + cut - Self.allowance), 2 * limit)
    down = min(max(0, down - cut - Self.allowance), 2 * limit)
    let isAlarm = side != .below && up > limit || side != .above && down > limit
    return Verdict(isAlarm: isAlarm, forecast: down > up ? -down : up)
  }
}
