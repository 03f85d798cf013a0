/// Level and trend, smoothed exponentially (C. C. Holt, ONR Memorandum 52, 1957; Int. J. Forecasting 20, 2004), and
/// what they come to after a horizon.
struct HoltModel: AlarmModel {
  /// The weight of the newest value in the level, and of the newest step in the trend.
  static let (levelWeight, trendWeight) = (0.05, 0.02)
  /// Values until a trend is believed.
  static let warmUp = 50

  let side: AlarmSide
  let limit: Double
  /// In values.
  let horizon: Double
  private(set) var (level, trend) = (0.0, 0.0)
  private var count = 0

  init(side: AlarmSide, limit: Double, horizon: Double) {
    (self.side, self.limit, self.horizon) = (side, limit, horizon)
  }

  mutating func look(_ value: Double) -> Verdict? {
    count += 1
    guard count > 1 else {
      level = value
      return nil
    }
    let before = level
    level = Self.levelWeight * value + (1 - Self.levelWeight) * (level + trend)
    trend = Self.trendWeight * (level - before) + (1 - Self.trendWeight) * trend
    guard count > Self.warmUp else { return nil }
    let forecast = level + horizon * trend
    return Verdict(isAlarm: side == .above ? forecast > limit : forecast < limit, forecast: forecast)
  }
}
