internal import Glibc

/// The members of a JSON object (RFC 8259), one after the other, without allocating. Everything between the braces is
/// checked on the way, nested values too; text is compared byte by byte, so a key or word that is written with escapes
/// is one that nobody asks for.
struct JSONObject {
  private var text: JSONText

  /// Begins with the brace. Throws `.json` for anything else.
  init(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
    text = JSONText(bytes)
    text.skipBlanks()
    guard text.take(UInt8(ascii: "{")) else { throw .json }
  }

  /// The next member; nil behind the last one, when nothing but blanks follows.
  mutating func next() throws(MessageFault) -> (key: JSONValue, value: JSONValue)? {
    guard try text.beginElement(closing: UInt8(ascii: "}")) else {
      text.skipBlanks()
      guard text.isAtEnd else { throw .json }
      return nil
    }
    let key = try text.string()
    text.skipBlanks()
    guard text.take(UInt8(ascii: ":")) else { throw .json }
    return (key, try text.value())
  }
}

/// The elements of a JSON array.
struct JSONArray {
  private var text: JSONText

  fileprivate init(_ bytes: UnsafeRawBufferPointer) {
    text = JSONText(bytes)
    _ = text.take(UInt8(ascii: "["))
  }

  /// The next element; nil behind the last one.
  mutating func next() throws(MessageFault) -> JSONValue? {
    guard try text.beginElement(closing: UInt8(ascii: "]")) else { return nil }
    return try text.value()
  }
}

/// One value, where it lies in the message.
struct JSONValue {
  enum JSONKind { case string, number, truth, null, array, object }

  let kind: JSONKind
  /// The text of the value; of a string, what is between its quotes.
  let bytes: UnsafeRawBufferPointer

  /// Whether it is this string.
  func isString(_ word: StaticString) -> Bool {
    kind == .string && bytes.count == word.utf8CodeUnitCount
      && (bytes.isEmpty || memcmp(bytes.baseAddress!, word.utf8Start, bytes.count) == 0)
  }

  /// A whole number from 0 to `limit`, written without fraction and exponent.
  func count(limit: UInt64) throws(MessageFault) -> UInt64 {
    guard kind == .number else { throw .field }
    var value: UInt64 = 0
    for byte in bytes {
      guard case UInt8(ascii: "0")...UInt8(ascii: "9") = byte else { throw .field }
      let (product, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, carries) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      guard !overflows, !carries, sum <= limit else { throw .field }
      value = sum
    }
    return value
  }

  /// A frame's number, which a counter of 32 bits may have below zero.
  func frameNumber() throws(MessageFault) -> UInt64 {
    guard kind == .number, bytes.first == UInt8(ascii: "-") else { return try count(limit: StreamDecoder.numberMax) }
    let digits = JSONValue(kind: .number, bytes: UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
    guard let number = Detectors.frameNumber(-Int64(try digits.count(limit: 1 << 31))) else { throw .field }
    return number
  }

  /// A finite number.
  func number() throws(MessageFault) -> Double {
    guard kind == .number, bytes.count < Self.numberLengthMax else { throw .field }
    let value = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.numberLengthMax) { text in
      for (index, byte) in bytes.enumerated() { text[index] = CChar(bitPattern: byte) }
      text[bytes.count] = 0
      return strtod(text.baseAddress!, nil)
    }
    guard value.isFinite else { throw .field }
    return value
  }

  /// The elements of an array.
  func elements() throws(MessageFault) -> JSONArray {
    guard kind == .array else { throw .field }
    return JSONArray(bytes)
  }

  private static let numberLengthMax = 64
}

/// A place in a JSON text.
private struct JSONText {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var hasElement = false

  private static let depthMax = 16

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }
  private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipBlanks() {
    while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func take(_ wanted: UInt8) -> Bool {
    guard byte == wanted else { return false }
    position += 1
    return true
  }

  /// Goes to the next element of an object or array; false where it is closed.
  mutating func beginElement(closing: UInt8) throws(MessageFault) -> Bool {
    skipBlanks()
    if take(closing) { return false }
    if hasElement {
      guard take(UInt8(ascii: ",")) else { throw .json }
      skipBlanks()
    }
    hasElement = true
    return true
  }

  mutating func string() throws(MessageFault) -> JSONValue {
    guard take(UInt8(ascii: "\"")) else { throw .json }
    let start = position
    while let byte {
      position += 1
      if byte == UInt8(ascii: "\"") { return JSONValue(kind: .string, bytes: slice(start..<position - 1)) }
      guard byte >= 0x20 else { throw .json }
      if byte == UInt8(ascii: "\\") { position += 1 }
    }
    throw .json
  }

  mutating func value() throws(MessageFault) -> JSONValue {
    skipBlanks()
    let start = position
    switch byte {
    case UInt8(ascii: "\""): return try string()
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      let kind: JSONValue.JSONKind = byte == UInt8(ascii: "{") ? .object : .array
      try skipNested()
      return JSONValue(kind: kind, bytes: slice(start..<position))
    case UInt8(ascii: "t"): return try word("true", .truth)
    case UInt8(ascii: "f"): return try word("false", .truth)
    case UInt8(ascii: "n"): return try word("null", .null)
    default:
      try skipNumber()
      return JSONValue(kind: .number, bytes: slice(start..<position))
    }
  }

  private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[range]) }

  private mutating func word(_ word: StaticString, _ kind: JSONValue.JSONKind) throws(MessageFault) -> JSONValue {
    let end = position + word.utf8CodeUnitCount
    guard end <= bytes.count, memcmp(bytes.baseAddress! + position, word.utf8Start, word.utf8CodeUnitCount) == 0 else {
      throw .json
    }
    defer { position = end }
    return JSONValue(kind: kind, bytes: slice(position..<end))
  }

  /// -? digits (. digits)? ([eE] [+-]? digits)?
  private mutating func skipNumber() throws(MessageFault) {
    _ = take(UInt8(ascii: "-"))
    try skipDigits()
    if take(UInt8(ascii: ".")) { try skipDigits() }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try skipDigits()
    }
  }

  private mutating func skipDigits() throws(MessageFault) {
    let start = position
    while let byte, case UInt8(ascii: "0")...UInt8(ascii: "9") = byte { position += 1 }
    guard position > start else { throw .json }
  }

  /// Passes over an object or array by counting its brackets, with a bit for the kind of each that is open.
  private mutating func skipNested() throws(MessageFault) {
    var (open, depth) = (0, 0)
    while let byte {
      switch byte {
      case UInt8(ascii: "\""):
        _ = try string()
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard depth < Self.depthMax else { throw .json }
        open = open << 1 | (byte == UInt8(ascii: "{") ? 1 : 0)
        depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard open & 1 == (byte == UInt8(ascii: "}") ? 1 : 0) else { throw .json }
        open >>= 1
        depth -= 1
      default: break
      }
      position += 1
      if depth == 0 { return }
    }
    throw .json
  }
}
