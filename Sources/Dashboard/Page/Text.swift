/// Numbers and words as the page shows them.
enum Text {
  /// A number with so many decimals.
  static func decimal(_ value: Double, _ places: Int = 1) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "–" }
    let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let digits = "\(scaled)"
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    let sign = value < 0 && scaled != 0 ? "−" : ""
    return places == 0 ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
  }

  /// A share as a percentage.
  static func percent(_ fraction: Double) -> String { decimal(fraction * 100) + " %" }

  /// Minutes and seconds, hours where there are any.
  static func duration(_ seconds: Double) -> String {
    let whole = Int(max(0, min(seconds, 1e9)))
    let pad = { (number: Int) in (number < 10 ? "0" : "") + "\(number)" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return (hours > 0 ? "\(hours):\(pad(minutes))" : "\(minutes)") + ":\(pad(whole % 60))"
  }

  /// Text inside HTML, in an attribute too.
  static func html(_ text: String) -> String {
    text.reduce(into: "") { html, character in
      switch character {
      case "&": html += "&amp;"
      case "<": html += "&lt;"
      case ">": html += "&gt;"
      case "\"": html += "&quot;"
      case "'": html += "&#39;"
      default: html.append(character)
      }
    }
  }
}
