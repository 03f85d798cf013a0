/// Bytes as a person writes them: `512`, `64K`, `1M`, `2G` (powers of 1024).
package enum ByteSize {
  /// The bytes that `text` names; nil for anything else, and for what an Int does not hold.
  package static func parse(_ text: String) -> Int? {
    let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30]
    let shift = text.last.flatMap { shifts[Character($0.uppercased())] }
    let digits = shift == nil ? text[...] : text.dropLast()
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else {
      return nil
    }
    let (bytes, overflows) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return overflows ? nil : bytes
  }

  /// As short as it is exact.
  package static func text(_ bytes: Int) -> String {
    // No loop over units: the compiler unrolls one in either order, and two builds would differ.
    let tens = bytes > 0 ? min(bytes.trailingZeroBitCount / 10, 3) : 0
    return "\(bytes >> (10 * tens))" + ["", "K", "M", "G"][tens]
  }
}
