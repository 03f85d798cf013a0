extension StringProtocol {
  /// The text on one line that changes no terminal: line ends and control characters as in `\n` and `\u{1b}`, whoever
  /// wrote them.
  package var onOneLine: String {
    guard unicodeScalars.contains(where: Self.isControl) else { return String(self) }
    return unicodeScalars.reduce(into: "") { text, scalar in
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where Self.isControl(scalar): text += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }

  /// C0 and C1, DEL, the line ends of Unicode, and what turns the direction of writing.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
