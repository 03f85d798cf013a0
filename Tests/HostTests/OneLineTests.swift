import Host
import Testing

@Suite struct OneLineTests {
  @Test func `What would begin a line or change a terminal is written out, and nothing else`() {
    #expect("a\nb\r\nc\td".onOneLine == "a\\nb\\r\\nc\\td")
    #expect("\u{1b}[31m\0\u{7f}\u{85}\u{9b}".onOneLine == "\\u{1b}[31m\\u{0}\\u{7f}\\u{85}\\u{9b}")
    #expect("a\u{2028}b\u{202e}c\u{2066}".onOneLine == "a\\u{2028}b\\u{202e}c\\u{2066}")
    for text in ["", "plain", "\\n stays", "ä ≥ 2 · λ 👩‍🔬"] { #expect(text.onOneLine == text) }
  }
}
