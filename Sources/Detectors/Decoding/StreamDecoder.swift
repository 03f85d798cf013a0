/// Reads the messages of a detector's stream: `array-1.0` of PSI, SLS and UFO, and DECTRIS streams version 1 and 2.
/// Nothing that a message says is believed before it is checked, and nothing is allocated.
package struct StreamDecoder: Sendable {
  /// The most parts of a message: a DECTRIS header with all of its details has nine.
  static let partsMax = 10
  /// No header of an image is longer.
  static let headerByteCountMax = 64 << 10
  /// No detector counts further.
  static let numberMax: UInt64 = 1 << 40

  let format: FrameFormat
  /// The channel that is taken of images of several; nil for the only one.
  let channel: String?
  /// The series that is open; nil before the first.
  private(set) var series: UInt64?
  /// The number of the image with which a series may begin whose header nobody saw.
  let firstImage: UInt64
  /// Whether the next series is ours, wherever it is: a predecessor's scan goes on, and which series that was is not
  /// known any more.
  private var goesOn = false

  /// A decoder of images of `format`; others are refused. `series` is the one that a predecessor was in.
  package init(format: FrameFormat, channel: String? = nil, series: UInt64? = nil, firstImage: UInt64 = 0) {
    (self.format, self.channel, self.series, self.firstImage) = (format, channel, series, firstImage)
  }

  /// A predecessor has taken images of a scan that goes on.
  mutating func goOn() { goesOn = series == nil }

  /// Reads one message.
  package mutating func decode(_ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(MessageFault)
    -> StreamMessage
  {
    guard let first = parts.first, parts.count <= Self.partsMax else { throw .parts }
    if parts.count == 1, Stream2Message.isOne(first) { return try decodeStream2(first) }
    let head = try MessageHead(first)
    switch head.type {
    case .array: return try decodeArray(head, parts)
    case .dectrisImage: return try decodeDectris(head, parts)
    case .dectrisHeader: return begin(try head.needed(head.series))
    case .dectrisEnd: return try end(of: head.needed(head.series))
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

  // A detector that was armed before, or whose last scan was aborted, may still have images of another series: a series
  // begins with its header or, where nobody saw that, with its first image. What comes of others is refused.

  /// The header of a series.
  mutating func begin(_ series: UInt64) -> StreamMessage {
    guard series != self.series else { return .other }
    (self.series, goesOn) = (series, false)
    return .series(series)
  }

  /// An image of a series.
  mutating func enter(_ series: UInt64, image: UInt64) throws(MessageFault) {
    guard series != self.series else { return }
    guard image == firstImage || goesOn else { throw .series }
    (self.series, goesOn) = (series, false)
  }

  /// The end of a series.
  func end(of series: UInt64) throws(MessageFault) -> StreamMessage {
    guard series == self.series ?? series else { throw .series }
    return .end(nil)
  }
}
