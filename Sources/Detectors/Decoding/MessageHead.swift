import Host

/// The first part of a message, with the fields of all kinds of messages; what a kind needs of them is asked for by
/// `needed`.
struct MessageHead {
  enum MessageType {
    case array, arrayEnd, dectrisHeader, dectrisImage, dectrisEnd
  }

  var type = MessageType.array
  var frame: UInt64?
  var frameCount: UInt64?
  var series: UInt64?
  /// Rows and columns, slowest axis first.
  var shape: (Int, Int)?
  var pixel: PixelType?
  var isBigEndian = false
  var encoding = FrameEncoding.none
  var theta: Double?
  var key: ImageKey?
  var timestamp: Double?

  private var foundType: MessageType?

  init(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
    try read(bytes) { (head: inout MessageHead, key, value) throws(MessageFault) in
      if key.isString("htype") {
        head.foundType = try Self.messageType(value)
      } else {
        try head.set(key, value)
      }
    }
    guard let foundType else { throw .messageType }
    type = foundType
  }

  /// The second part of a DECTRIS image, which describes its bytes.
  init(dectrisData bytes: UnsafeRawBufferPointer) throws(MessageFault) {
    try read(bytes) { (head: inout MessageHead, key, value) throws(MessageFault) in
      if key.isString("htype") {
        guard value.isString("dimage_d-1.0") else { throw .messageType }
      } else {
        try head.set(key, value)
      }
    }
  }

  private mutating func read(
    _ bytes: UnsafeRawBufferPointer, _ take: (inout MessageHead, JSONValue, JSONValue) throws(MessageFault) -> Void
  ) throws(MessageFault) {
    guard bytes.count <= StreamDecoder.headerByteCountMax else { throw .headerTooLong }
    var object = try JSONObject(bytes)
    while let (key, value) = try object.next() { try take(&self, key, value) }
  }

  /// The value of a field that the message must have.
  func needed<Value>(_ value: Value?) throws(MessageFault) -> Value {
    guard let value else { throw .field }
    return value
  }

  private mutating func set(_ key: JSONValue, _ value: JSONValue) throws(MessageFault) {
    if value.kind == .null { return }
    if key.isString("frame") {
      frame = try value.frameNumber()
    } else if key.isString("shape") {
      shape = try Self.shape(value)
    } else if key.isString("type") {
      try setPixel(value)
    } else if key.isString("encoding") {
      try setEncoding(value)
    } else if key.isString("endianness") || key.isString("endianess") || key.isString("byteorder") {
      isBigEndian = try Self.isBigEndian(value)
    } else if key.isString("theta") {
      theta = try value.number()
    } else if key.isString("image_key") {
      guard let known = ImageKey(rawValue: Int(try value.count(limit: 3))) else { throw .field }
      self.key = known
    } else if key.isString("timestamp") {
      // Detectors write it in many ways; what is no number is of no use and no harm.
      timestamp = value.kind == .number ? try value.number() : nil
    } else if key.isString("series") {
      series = try value.count(limit: .max)
    } else if key.isString("frames") {
      frameCount = try value.count(limit: StreamDecoder.numberMax)
    }
  }

  /// A string, or a list whose first known string counts, as in `["array-1.0"]`.
  private static func messageType(_ value: JSONValue) throws(MessageFault) -> MessageType {
    if value.kind == .string {
      guard let type = knownType(value) else { throw .messageType }
      return type
    }
    var elements = try value.elements()
    var found: MessageType?
    while let element = try elements.next() { found = found ?? knownType(element) }
    guard let found else { throw .messageType }
    return found
  }

  private static func knownType(_ value: JSONValue) -> MessageType? {
    if value.isString("array-1.0") { return .array }
    if value.isString("array_end-1.0") { return .arrayEnd }
    if value.isString("dimage-1.0") { return .dectrisImage }
    if value.isString("dheader-1.0") { return .dectrisHeader }
    return value.isString("dseries_end-1.0") ? .dectrisEnd : nil
  }

  /// Two positive numbers; what they multiply to cannot overflow.
  private static func shape(_ value: JSONValue) throws(MessageFault) -> (Int, Int) {
    var elements = try value.elements()
    guard let first = try elements.next(), let second = try elements.next(), try elements.next() == nil else {
      throw .shape
    }
    return (Int(try first.count(limit: 1 << 20)), Int(try second.count(limit: 1 << 20)))
  }

  /// A type by name, or as NumPy abbreviates it, with the byte order before it.
  private mutating func setPixel(_ value: JSONValue) throws(MessageFault) {
    guard value.kind == .string, var name = Optional(value) else { throw .pixel }
    if let first = value.bytes.first,
      [UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "|"), UInt8(ascii: "=")].contains(first)
    {
      isBigEndian = first == UInt8(ascii: ">")
      name = JSONValue(kind: .string, bytes: UnsafeRawBufferPointer(rebasing: value.bytes.dropFirst()))
    }
    if name.isString("uint16") || name.isString("u2") {
      pixel = .uint16
    } else if name.isString("uint8") || name.isString("u1") {
      pixel = .uint8
    } else if name.isString("uint32") || name.isString("u4") {
      pixel = .uint32
    } else if name.isString("float32") || name.isString("float") || name.isString("f4") {
      pixel = .float32
    } else {
      throw .pixel
    }
  }

  /// A byte order alone, as PSI writes it, or DECTRIS' packing and byte order, as in `bs16-lz4<`.
  private mutating func setEncoding(_ value: JSONValue) throws(MessageFault) {
    if value.isString("<") || value.isString("little") {
      isBigEndian = false
    } else if value.isString(">") || value.isString("big") {
      isBigEndian = true
    } else if value.isString("lz4<") {
      encoding = .lz4
    } else if value.isString("lz4>") {
      (encoding, isBigEndian) = (.lz4, true)
    } else if value.isString("bs8-lz4<") || value.isString("bs16-lz4<") || value.isString("bs32-lz4<") {
      encoding = .bitshuffleLZ4
    } else {
      throw .encoding
    }
  }

  private static func isBigEndian(_ value: JSONValue) throws(MessageFault) -> Bool {
    if value.isString("little") || value.isString("<") { return false }
    if value.isString("big") || value.isString(">") { return true }
    throw .pixel
  }
}
