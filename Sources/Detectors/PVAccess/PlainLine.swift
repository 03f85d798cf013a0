/// What somebody sent, or a library said of it, as one line of plain text whatever it is.
func plainLine(_ bytes: some Sequence<UInt8>) -> String {
  String(decoding: bytes.map { 0x20...0x7E ~= $0 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
}

/// The same of a C string in a buffer.
func plainLine(_ text: [CChar]) -> String { plainLine(text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))) }
