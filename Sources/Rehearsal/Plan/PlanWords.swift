/// Numbers with units, as a rehearsal's plan has them.
enum PlanWords {
  private static let durations: [(unit: String, seconds: Double)] = [("ms", 1e-3), ("s", 1), ("m", 60)]
  private static let rates: [(unit: String, bytes: Double)] = [
    ("kbit", 1e3 / 8), ("mbit", 1e6 / 8), ("gbit", 1e9 / 8),
  ]
  private static let sizes: [(unit: String, bytes: Double)] = [("M", 0x1p20), ("G", 0x1p30)]
  private static let secondsMax = 86_400.0
  /// What is computed from a rate that is nearly another one may be beyond any number.
  private static let textMax = 1e9

  /// Seconds of `500ms`, `3s` or `2m`; nil for anything else, and beyond a day.
  static func seconds(_ text: String) -> Double? {
    number(text, durations.map { ($0.unit, $0.seconds) }).flatMap { (0...secondsMax).contains($0) ? $0 : nil }
  }

  /// Bytes a second of `500kbit`, `100mbit` or `10gbit`.
  static func rate(_ text: String) -> Double? {
    number(text, rates.map { ($0.unit, $0.bytes) }).flatMap { (1e3...1e12).contains($0) ? $0 : nil }
  }

  /// Bytes of `64M` or `2G` (MiB, GiB).
  static func size(_ text: String) -> Int? {
    number(text, sizes.map { ($0.unit, $0.bytes) }).flatMap { (0x1p20...0x1p50).contains($0) ? Int($0) : nil }
  }

  private static func number(_ text: String, _ units: [(unit: String, factor: Double)]) -> Double? {
    guard let match = text.wholeMatch(of: /([0-9]{1,9}(?:\.[0-9]{1,9})?)([A-Za-z]{1,4})/),
      let number = Double(match.1), let factor = units.first(where: { $0.unit == match.2 })?.factor
    else { return nil }
    return number * factor
  }

  /// Seconds for people, without zeros that say nothing.
  static func text(_ seconds: Double) -> String {
    guard seconds < textMax else { return "more than \(Int(textMax)) s" }
    let milliseconds = Int((seconds * 1000).rounded())
    guard milliseconds % 1000 != 0 else { return "\(milliseconds / 1000) s" }
    return milliseconds % 100 == 0
      ? "\(Double(milliseconds / 100) / 10) s" : "\(Double(milliseconds / 10) / 100) s"
  }
}
