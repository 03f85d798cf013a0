// Numbers as people write them, on the command line and in files. What Swift reads besides, hexadecimal digits, a plus
// sign, infinity and NaN, is a mistake in a scan's description, and whoever reads it there sees another number than the
// program.

extension Double {
  /// Decimal digits, with a minus before them, a point and digits behind it, and an exponent: `12`, `-0.5`, `.5`,
  /// `1e-3`. Nil for others, and for what is no finite number.
  package init?(written text: some StringProtocol) {
    let unsigned = text.hasPrefix("-") ? text.dropFirst() : text[...]
    let parts = unsigned.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
    guard Self.isPlain(parts[0]) else { return nil }
    if parts.count == 2 {
      let digits = parts[1].first == "-" || parts[1].first == "+" ? parts[1].dropFirst() : parts[1]
      guard digits.isDecimal else { return nil }
    }
    guard let value = Double(text), value.isFinite else { return nil }
    self = value
  }

  /// The same without sign and exponent: a number inside of a word, as the 30 of `30s`.
  package init?(digits text: some StringProtocol) {
    guard Self.isPlain(text), let value = Double(text), value.isFinite else { return nil }
    self = value
  }

  /// Whether it is digits with one point at most among them.
  private static func isPlain(_ text: some StringProtocol) -> Bool {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.contains { !$0.isEmpty } && parts.allSatisfy { $0.isEmpty || $0.isDecimal }
  }
}

extension FixedWidthInteger {
  /// Decimal digits, with a minus before them where the type has a sign. Nil for others.
  package init?(written text: some StringProtocol) {
    guard (text.hasPrefix("-") ? text.dropFirst() : text[...]).isDecimal else { return nil }
    self.init(text)
  }
}

extension StringProtocol {
  /// Whether it is one of the digits 0 to 9 or several, and nothing else.
  fileprivate var isDecimal: Bool { !isEmpty && utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } }
}

/// A number that a person may give, read as in a scan file.
package protocol WrittenNumber: SendableMetatype {
  /// What can be written, for people.
  static var writtenForm: String { get }
  /// Reads it; nil for anything else.
  init?(written text: String)
}

extension Double: WrittenNumber {
  /// As a person may write it.
  package static let writtenForm = "a number in decimal digits, as in 12, -0.5 or 1e-3"
}
extension Int: WrittenNumber {
  /// As a person may write it.
  package static let writtenForm = "a whole number in decimal digits"
}
extension UInt64: WrittenNumber {
  /// As a person may write it.
  package static let writtenForm = "a whole number in decimal digits"
}
