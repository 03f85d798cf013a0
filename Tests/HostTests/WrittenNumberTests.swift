import Host
import Testing

/// Numbers as people write them.
@Suite struct WrittenNumberTests {
  @Test(arguments: ["12", "-0.5", ".5", "5.", "1e-3", "1E+3", "007", "-0"])
  func `Decimal digits are a number, with sign, fraction and exponent`(text: String) {
    #expect(Double(written: text) == Double(text))
  }

  @Test(arguments: ["", "-", ".", "e3", "1e", "1e-", "1e1.5", "+5", "0x1p3", "0x10", "inf", "nan", "1e999", "1 ", "٣"])
  func `Anything else is none, whatever Swift reads`(text: String) {
    #expect(Double(written: text) == nil && Double(digits: text) == nil && Int(written: text) == nil)
  }

  @Test func `Inside of a word a number has neither sign nor exponent`() {
    #expect(Double(digits: "30") == 30 && Double(digits: "0.5") == 0.5)
    for text in ["-1", "1e1", "+5", "0x10"] { #expect(Double(digits: text) == nil, "\(text)") }
  }

  @Test func `Whole numbers have digits alone, and a minus where the type has one`() {
    #expect(Int(written: "-12") == -12 && UInt64(written: "18446744073709551615") == .max)
    #expect(UInt64(written: "-1") == nil)
    for text in ["1.0", "1e3", "9223372036854775808"] { #expect(Int(written: text) == nil, "\(text)") }
  }
}
