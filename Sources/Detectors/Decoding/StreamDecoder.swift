import Host

/// Reads the messages of a detector's stream: `array-1.0` of PSI, SLS and UFO, and DECTRIS streams version 1 and 2.
/// Nothing that a message says is believed before it is checked, and nothing is allocated.
package struct StreamDecoder: Sendable {
  /// The most parts of a message: a DECTRIS header with all of its details has nine.
  static let partsMax = 10
  /// No header of an image is longer.
  static let headerByteCountMax = 64 << 10
  /// No detector counts further.
  package static let numberMax: UInt64 = 1 << 40

  /// What images look like; where the stream is followed, the last one that came.
  private(set) var format: FrameFormat
  /// Whether the stream says what its images look like, and others than the last are not refused.
  private let followsStream: Bool
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
    followsStream = false
  }

  /// A decoder of images of any format.
  init(followingStreamWith channel: String?, series: UInt64?) {
    (format, followsStream) = (FrameFormat(rows: 1, columns: 1, pixel: .uint16), true)
    (self.channel, self.series, firstImage) = (channel, series, 0)
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
  private mutating func decodeArray(_ head: MessageHead, _ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>)
    throws(MessageFault) -> StreamMessage
  {
    guard parts.count == 2 else { throw .parts }
    let format = try check(shape: head.needed(head.shape), pixel: head.needed(head.pixel))
    guard parts[1].count == format.byteCount else { throw .size }
    follow(format)
    var header = FrameHeader(number: try head.needed(head.frame))
    header.isBigEndian = head.isBigEndian
    (header.theta, header.key, header.timestamp) = (head.theta, head.key, head.timestamp)
    return .frame(header, parts[1])
  }

  /// What an image of `shape`, rows and columns, looks like. Refuses another shape or type of pixels than the scan's;
  /// where the stream is followed, only what no image has.
  func check(shape: (rows: Int, columns: Int), pixel: PixelType?) throws(MessageFault) -> FrameFormat {
    if followsStream {
      guard shape.rows > 0, shape.columns > 0 else { throw .shape }
      guard let pixel else { throw .pixel }
      return FrameFormat(rows: shape.rows, columns: shape.columns, pixel: pixel)
    }
    guard shape == (format.rows, format.columns) else { throw .shape }
    guard pixel == format.pixel else { throw .pixel }
    return format
  }

  /// An image of such a format was taken.
  mutating func follow(_ format: FrameFormat) { self.format = format }

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
