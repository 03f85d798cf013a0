extension Trigger {
  /// An alarm, for people: `beam-lost: intensity is 12.4, lower than it was`.
  package func words(isRaised: Bool, value: Double, forecast: Double?) -> String {
    guard isRaised else { return "\(name) is over: \(gauge.rawValue) is \(Self.figure(value))" }
    let now = "\(name): \(gauge.rawValue) is \(Self.figure(value))"
    switch model {
    case .threshold(let side, let limit): return "\(now), \(side == .above ? "above" : "below") \(limit.text)"
    case .ewma, .cusum: return "\(now), \((forecast ?? 0) < 0 ? "lower" : "higher") than it was"
    case .holt(let seconds, let side, let limit):
      return "\(now), and \(forecast.map(Self.figure) ?? "more") in \(Self.number(seconds)) s as it goes on, "
        + "\(side == .above ? "above" : "below") \(limit.text)"
    case .quantile(let quantile): return "\(now), above its \(quantile) quantile \(forecast.map(Self.figure) ?? "")"
    case .program(let path): return "\(now), and \(path) answers \(forecast.map(Self.figure) ?? "an alarm")"
    }
  }

  /// The end of an alarm whose run is over, for people: nobody knows whether its cause is.
  package func wordsAtEnd(value: Double) -> String {
    "\(name) lasted to the end of the run: \(gauge.rawValue) is \(Self.figure(value))"
  }

  /// Four digits are enough for people; M is a million, G a thousand of these.
  private static func figure(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value == 0 ? "0" : "\(value)")" }
    for (unit, word) in [(1e12, "T"), (1e9, "G"), (1e6, "M")] where abs(value) >= unit && abs(value) < 1e15 {
      return figure(value / unit) + word
    }
    if abs(value) >= 1e4, abs(value) < 1e15 { return "\(Int(value.rounded()))" }
    let scale = pow10(3 - exponent(abs(value)))
    return number((value * scale).rounded() / scale)
  }

  private static func exponent(_ value: Double) -> Int {
    var (exponent, value) = (0, value)
    while value >= 10, exponent < 15 { (value, exponent) = (value / 10, exponent + 1) }
    while value < 1, exponent > -15 { (value, exponent) = (value * 10, exponent - 1) }
    return exponent
  }

  private static func pow10(_ exponent: Int) -> Double {
    var power = 1.0
    for _ in 0..<abs(exponent) { power *= 10 }
    return exponent < 0 ? 1 / power : power
  }
}
