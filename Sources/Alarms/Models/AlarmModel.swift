/// What a model makes of one value.
package struct Verdict: Equatable, Sendable {
  /// Whether the value is not as it should be, or will not be.
  package var isAlarm: Bool
  /// What is expected, or how far it is from what is usual, as the model has it.
  package var forecast: Double?

  /// A verdict as given.
  package init(isAlarm: Bool, forecast: Double? = nil) { (self.isAlarm, self.forecast) = (isAlarm, forecast) }
}

/// Decides from the values of one gauge, one after the other, whether something is wrong. The same values give the same
/// verdicts.
package protocol AlarmModel {
  /// Takes the next value; nil while too few are known, and where it says nothing.
  mutating func look(_ value: Double) -> Verdict?
}

/// Which way a value may not go.
package enum AlarmSide: String, Sendable {
  /// Up.
  case above = ">"
  /// Down.
  case below = "<"
  /// Either way.
  case both = ""
}

/// Compares each value with a limit.
struct ThresholdModel: AlarmModel {
  let side: AlarmSide
  let limit: Double

  mutating func look(_ value: Double) -> Verdict? {
    Verdict(isAlarm: side == .above ? value > limit : value < limit)
  }
}
