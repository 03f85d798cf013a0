/// Reads the messages of a detector's stream: `array-1.0` of PSI, SLS and UFO, and DECTRIS stream version 1. Nothing
/// that a message says is believed before it is checked, and nothing is allocated.
package struct StreamDecoder: Sendable {
  /// The most parts of a message: a DECTRIS header with all of its details has nine.
  static let partsMax = 10
  /// No header of an image is longer.
  static let headerByteCountMax = 64 << 10
  /// No detector counts further.
  static let numberMax: UInt64 = 1 << 40

  let format: FrameFormat
  /// The DECTRIS series that is open.
  var series: UInt64?

  /// A decoder of images of `format`; others are refused.
  package init(format: FrameFormat) { self.format = format }

  /// Reads one message.
  package mutating func decode(_ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(MessageFault)
    -> StreamMessage
  {
    guard let first = parts.first, parts.count <= Self.partsMax else { throw .parts }
    let head = try MessageHead(first)
    switch head.type {
    case .array: return try decodeArray(head, parts)
    case .dectrisImage: return try decodeDectris(head, parts)
    case .dectrisHeader:
      series = try head.needed(head.series)
      return .other
    case .dectrisEnd:
      guard try head.needed(head.series) == series ?? head.series else { throw .series }
      return .end(nil)
    case .arrayEnd: return .end(head.frameCount)
    }
  }

  /// `[JSON header][pixels]`
  private func decodeArray(_ head: MessageHead, _ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>)
    throws(MessageFault) -> StreamMessage
  {
    guard parts.count == 2 else { throw .parts }
    guard try head.needed(head.shape) == (format.rows, format.columns) else { throw .shape }
    try check(head)
    guard parts[1].count == format.byteCount else { throw .size }
    var header = FrameHeader(number: try head.needed(head.frame))
    header.isBigEndian = head.isBigEndian
    (header.theta, header.key, header.timestamp) = (head.theta, head.key, head.timestamp)
    return .frame(header, parts[1])
  }

  /// Refuses pixels of another type than the scan's.
  func check(_ head: MessageHead) throws(MessageFault) {
    guard try head.needed(head.pixel) == format.pixel else { throw .pixel }
  }
}
