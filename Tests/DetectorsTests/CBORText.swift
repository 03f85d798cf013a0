/// CBOR (RFC 8949) for tests, made by hand: heads in their shortest form unless said otherwise.
struct CBORText {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// What begins an item.
  static func head(_ major: UInt8, _ argument: UInt64) -> [UInt8] {
    func big(_ count: Int) -> [UInt8] { (0..<count).reversed().map { UInt8(truncatingIfNeeded: argument >> (8 * $0)) } }
    return switch argument {
    case 0..<24: [major << 5 | UInt8(argument)]
    case ..<0x100: [major << 5 | 24] + big(1)
    case ..<0x1_0000: [major << 5 | 25] + big(2)
    case ..<0x1_0000_0000: [major << 5 | 26] + big(4)
    default: [major << 5 | 27] + big(8)
    }
  }

  static func number(_ value: UInt64) -> CBORText { CBORText(head(0, value)) }
  static func text(_ text: String) -> CBORText { CBORText(head(3, UInt64(text.utf8.count)) + Array(text.utf8)) }
  static func data(_ data: [UInt8]) -> CBORText { CBORText(head(2, UInt64(data.count)) + data) }
  static func array(_ elements: CBORText...) -> CBORText {
    CBORText(head(4, UInt64(elements.count)) + elements.flatMap(\.bytes))
  }
  static func tag(_ tag: UInt64, _ content: CBORText) -> CBORText { CBORText(head(6, tag) + content.bytes) }
  static func map(_ pairs: [(String, CBORText)]) -> CBORText {
    CBORText(head(5, UInt64(pairs.count)) + pairs.flatMap { text($0).bytes + $1.bytes })
  }
  /// The same with a break at its end.
  static func openMap(_ pairs: [(String, CBORText)]) -> CBORText {
    CBORText([0xBF] + pairs.flatMap { text($0).bytes + $1.bytes } + [0xFF])
  }

  /// An image of DECTRIS stream 2.
  static func image(
    series: UInt64 = 5, number: UInt64, channels: [(String, CBORText)], more: [(String, CBORText)] = []
  ) -> CBORText {
    map(
      [("type", text("image")), ("series_id", .number(series)), ("image_id", .number(number))] + more
        + [("data", map(channels))])
  }

  /// An array of rows and columns.
  static func plane(_ rows: UInt64, _ columns: UInt64, tag elements: UInt64, _ content: CBORText) -> CBORText {
    tag(40, array(array(.number(rows), .number(columns)), tag(elements, content)))
  }
}
