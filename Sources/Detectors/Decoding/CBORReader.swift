internal import Glibc

/// A place in a CBOR text (RFC 8949), one data item after the other, without allocating. What is passed over is checked
/// too: every item lies within the message, and no more than 16 lie in each other.
///
/// It is our own as ``JSONObject`` is: of a message only a few fields are read, a string is used where it lies, and
/// what is wrong is a fault of the message; libraries make a tree of it first.
struct CBORReader {
  /// What an item is: its major type.
  enum CBORKind: UInt8 { case unsigned, negative, bytes, text, array, map, tag, simple }

  /// What begins an item.
  struct Head {
    let kind: CBORKind
    /// The number, the length, the tag or the simple value.
    let argument: UInt64
    /// Whether a break ends it in place of a length.
    var isOpen = false
  }

  /// What is left of an array or map.
  struct Contents {
    /// Elements, or pairs; nil where a break ends them.
    fileprivate var left: UInt64?
  }

  private let message: UnsafeRawBufferPointer
  private var position = 0

  private static let depthMax = 16
  private static let breakByte: UInt8 = 0xFF

  init(_ message: UnsafeRawBufferPointer) { self.message = message }

  var isAtEnd: Bool { position == message.count }

  /// The next item's head; its content follows.
  mutating func head() throws(MessageFault) -> Head {
    guard position < message.count, let kind = CBORKind(rawValue: message[position] >> 5) else { throw .cbor }
    let information = message[position] & 31
    position += 1
    switch information {
    case 0..<24: return Head(kind: kind, argument: UInt64(information))
    case 24: return Head(kind: kind, argument: UInt64(try number(as: UInt8.self)))
    case 25: return Head(kind: kind, argument: UInt64(try number(as: UInt16.self)))
    case 26: return Head(kind: kind, argument: UInt64(try number(as: UInt32.self)))
    case 27: return Head(kind: kind, argument: try number(as: UInt64.self))
    case 31 where [.bytes, .text, .array, .map].contains(kind): return Head(kind: kind, argument: 0, isOpen: true)
    default: throw .cbor
    }
  }

  /// The contents of an array or map, of which `head` was the head.
  func contents(_ head: Head) -> Contents {
    precondition(head.kind == .array || head.kind == .map, "\(head.kind) has no contents")
    return Contents(left: head.isOpen ? nil : head.argument)
  }

  /// Whether another element, or pair, follows; then its first item is next.
  mutating func begin(_ contents: inout Contents) throws(MessageFault) -> Bool {
    guard let left = contents.left else {
      guard position < message.count else { throw .cbor }
      guard message[position] == Self.breakByte else { return true }
      position += 1
      return false
    }
    contents.left = left - min(left, 1)
    return left > 0
  }

  /// The head of an array of `count` elements, which follow.
  mutating func array(of count: UInt64) throws(MessageFault) {
    let head = try head()
    guard head.kind == .array, !head.isOpen, head.argument == count else { throw .field }
  }

  /// A whole number from 0 to `limit`.
  mutating func count(limit: UInt64) throws(MessageFault) -> UInt64 {
    let head = try head()
    guard head.kind == .unsigned, head.argument <= limit else { throw .field }
    return head.argument
  }

  /// A number of any kind.
  mutating func number() throws(MessageFault) -> Double {
    guard position < message.count else { throw .cbor }
    let first = message[position]
    let head = try head()
    switch (head.kind, first & 31) {
    case (.unsigned, _): return Double(head.argument)
    case (.negative, _): return -1 - Double(head.argument)
    case (.simple, 25): return Double(Float16(bitPattern: UInt16(head.argument)))
    case (.simple, 26): return Double(Float(bitPattern: UInt32(head.argument)))
    case (.simple, 27): return Double(bitPattern: head.argument)
    default: throw .field
    }
  }

  /// A string of this kind in one piece, where it lies.
  mutating func string(_ kind: CBORKind) throws(MessageFault) -> UnsafeRawBufferPointer {
    let head = try head()
    guard head.kind == kind, !head.isOpen else { throw .field }
    return try span(head.argument)
  }

  /// Calls `body` with each word of a map from words to values, which comes next, and the place of its value.
  mutating func eachPair(_ body: (UnsafeRawBufferPointer, CBORReader) -> Void) throws(MessageFault) {
    let head = try head()
    guard head.kind == .map else { throw .field }
    var pairs = contents(head)
    while try begin(&pairs) {
      let word = try string(.text)
      body(word, self)
      try skip()
    }
  }

  /// Passes over the next item, whatever it is.
  mutating func skip(depth: Int = 0) throws(MessageFault) {
    guard depth < Self.depthMax else { throw .cbor }
    let head = try head()
    switch head.kind {
    case .unsigned, .negative, .simple: break
    case .tag: try skip(depth: depth + 1)
    case .bytes, .text:
      guard head.isOpen else {
        _ = try span(head.argument)
        return
      }
      var pieces = Contents(left: nil)
      while try begin(&pieces) {
        let piece = try self.head()
        guard piece.kind == head.kind, !piece.isOpen else { throw .cbor }
        _ = try span(piece.argument)
      }
    case .array, .map:
      var contents = contents(head)
      while try begin(&contents) {
        try skip(depth: depth + 1)
        if head.kind == .map { try skip(depth: depth + 1) }
      }
    }
  }

  private mutating func span(_ count: UInt64) throws(MessageFault) -> UnsafeRawBufferPointer {
    guard count <= message.count - position else { throw .cbor }
    defer { position += Int(count) }
    return UnsafeRawBufferPointer(rebasing: message[position..<position + Int(count)])
  }

  private mutating func number<Number: FixedWidthInteger>(as type: Number.Type) throws(MessageFault) -> Number {
    let bytes = try span(UInt64(MemoryLayout<Number>.size))
    return Number(bigEndian: bytes.loadUnaligned(as: Number.self))
  }
}

extension UnsafeRawBufferPointer {
  /// Whether these are the bytes of a word.
  func isWord(_ word: StaticString) -> Bool {
    count == word.utf8CodeUnitCount && (isEmpty || memcmp(baseAddress!, word.utf8Start, count) == 0)
  }
}
