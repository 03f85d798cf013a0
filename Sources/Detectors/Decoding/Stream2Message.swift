import Host

/// A message of DECTRIS stream version 2 (SIMPLON, "Stream V2"): one part, a CBOR map from words to values, of which a
/// few are read.
///
/// ```
/// start   {"type": "start", "series_id": 7, "number_of_images": …, "channels": ["threshold_1"], …}
/// image   {"type": "image", "series_id": 7, "image_id": 0, "data": {"threshold_1": ARRAY}, …}
/// end     {"type": "end", "series_id": 7, …}
/// ARRAY   40([[rows, columns], TYPED])        RFC 8746: 40 is an array of several dimensions, the slowest first
/// TYPED   69(BYTES)                           64 uint8, 65 and 69 uint16, 66 and 70 uint32, 81 and 85 float32; below
///                                             68 and of 80 to 83 the most significant byte comes first
/// BYTES   a byte string, or 56500([algorithm, bytes of an element, byte string])
/// ```
struct Stream2Message {
  enum MessageType { case start, image, end }

  private(set) var type = MessageType.image
  private(set) var series: UInt64?
  private(set) var image: UInt64?
  /// The channels' images, of an image message.
  private var data: CBORReader?

  /// What says of a text that it is CBOR.
  private static let selfDescribed: UInt64 = 55_799

  /// Whether a part is such a message, and no JSON: that begins with a brace.
  static func isOne(_ part: UnsafeRawBufferPointer) -> Bool {
    guard let first = part.first else { return false }
    return first >> 5 == CBORReader.CBORKind.map.rawValue || first >> 5 == CBORReader.CBORKind.tag.rawValue
  }

  init(_ message: UnsafeRawBufferPointer) throws(MessageFault) {
    var reader = CBORReader(message)
    var head = try reader.head()
    if head.kind == .tag, head.argument == Self.selfDescribed { head = try reader.head() }
    guard head.kind == .map else { throw .cbor }
    var (pairs, found) = (reader.contents(head), MessageType?.none)
    while try reader.begin(&pairs) {
      let key = try reader.string(.text)
      if key.isWord("type") {
        found = try Self.messageType(reader.string(.text))
      } else if key.isWord("series_id") {
        series = try reader.count(limit: .max)
      } else if key.isWord("image_id") {
        image = try reader.count(limit: StreamDecoder.numberMax)
      } else {
        if key.isWord("data") { data = reader }
        try reader.skip()
      }
    }
    guard reader.isAtEnd else { throw .cbor }
    guard let found else { throw .messageType }
    type = found
  }

  private static func messageType(_ word: UnsafeRawBufferPointer) throws(MessageFault) -> MessageType {
    if word.isWord("image") { return .image }
    if word.isWord("start") { return .start }
    if word.isWord("end") { return .end }
    throw .messageType
  }

  /// The image of the channel `wanted`, or of the only one.
  func channel(_ wanted: String?) throws(MessageFault) -> Stream2Array {
    var found: CBORReader?
    var count = 0
    try eachChannel { name, value in
      count += 1
      if wanted.map({ name.elementsEqual($0.utf8) }) ?? true { found = value }
    }
    guard var found, wanted != nil || count == 1 else { throw count == 0 ? .field : .channel }
    return try Stream2Array(&found)
  }

  /// Calls `body` with the name of each channel, and the place of its image.
  func eachChannel(_ body: (UnsafeRawBufferPointer, CBORReader) -> Void) throws(MessageFault) {
    guard var reader = data else { throw .field }
    try reader.eachPair(body)
  }
}

/// An image of such a message, as it says it is.
struct Stream2Array {
  private(set) var (rows, columns): (UInt64, UInt64) = (0, 0)
  /// The tag of its elements.
  private(set) var elementTag: UInt64 = 0
  /// The word for its packing; empty for none.
  private(set) var algorithm = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Bytes of the elements that bits were shuffled in.
  private(set) var packedElementByteCount: UInt64 = 0
  /// Its bytes, packed or not.
  private(set) var bytes = UnsafeRawBufferPointer(start: nil, count: 0)

  private static let (array, compressed): (UInt64, UInt64) = (40, 56_500)

  init(_ reader: inout CBORReader) throws(MessageFault) {
    let head = try reader.head()
    guard head.kind == .tag, head.argument == Self.array else { throw .shape }
    try reader.array(of: 2)
    let dimensions = try reader.head()
    guard dimensions.kind == .array, !dimensions.isOpen, dimensions.argument == 2 else { throw .shape }
    (rows, columns) = (try reader.count(limit: 1 << 20), try reader.count(limit: 1 << 20))
    let elements = try reader.head()
    guard elements.kind == .tag else { throw .pixel }
    elementTag = elements.argument
    var place = reader
    guard try place.head().kind == .tag else {
      bytes = try reader.string(.bytes)
      return
    }
    guard try reader.head().argument == Self.compressed else { throw .encoding }
    try reader.array(of: 3)
    algorithm = try reader.string(.text)
    packedElementByteCount = try reader.count(limit: 1 << 20)
    bytes = try reader.string(.bytes)
  }

  /// What an element is, and whether its most significant byte comes first; nil for none that is known.
  var element: (pixel: PixelType, isBigEndian: Bool)? {
    switch elementTag {
    case 64: (.uint8, false)
    case 65: (.uint16, true)
    case 66: (.uint32, true)
    case 69: (.uint16, false)
    case 70: (.uint32, false)
    case 81: (.float32, true)
    case 85: (.float32, false)
    default: nil
    }
  }

  /// How it is packed.
  func encoding(elementByteCount: Int) throws(MessageFault) -> FrameEncoding {
    if algorithm.isEmpty { return .none }
    if algorithm.isWord("lz4") { return .lz4Blocks }
    guard algorithm.isWord("bslz4"), packedElementByteCount == elementByteCount else { throw .encoding }
    return .bitshuffleLZ4
  }
}

extension StreamDecoder {
  mutating func decodeStream2(_ part: UnsafeRawBufferPointer) throws(MessageFault) -> StreamMessage {
    let message = try Stream2Message(part)
    guard let series = message.series else { throw .field }
    switch message.type {
    case .start: return begin(series)
    case .end: return try end(of: series)
    case .image: break
    }
    guard let number = message.image else { throw .field }
    try enter(series, image: number)
    let array = try message.channel(channel)
    let format = try check(shape: (Int(array.rows), Int(array.columns)), pixel: array.element?.pixel)
    guard let element = array.element else { throw .pixel }
    var header = FrameHeader(number: number)
    header.series = series
    header.isBigEndian = element.isBigEndian
    header.encoding = try array.encoding(elementByteCount: format.pixel.byteCount)
    guard header.encoding != .none || array.bytes.count == format.byteCount, !array.bytes.isEmpty else { throw .size }
    follow(format)
    return .frame(header, array.bytes)
  }
}
