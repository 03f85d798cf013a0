/// What a feed has next.
enum FeedStep {
  /// An image; its pixels can be unpacked until the next step.
  case frame(FrameHeader)
  /// Something that is dropped, with what is known of it beyond the fault.
  case fault(MessageFault, String? = nil)
  /// Something to tell people.
  case notice(SourceNotice)
  /// Nothing that matters.
  case other
  /// Nothing yet.
  case nothing
  /// The series is complete; its number of images, where that is known.
  case end(UInt64?)
}

/// Where the images of a live source come from.
protocol FrameFeed: AnyObject {
  /// Passes over frames with numbers below `number`, which a predecessor has taken or missed.
  func resume(after number: UInt64) throws

  /// The next step, for which it waits up to `timeout`.
  func next(timeout: Duration) throws -> FeedStep

  /// Writes the wanted rows of the last image, as pixels of this machine.
  func unpack(into target: UnsafeMutableRawBufferPointer) throws(MessageFault)

  /// Whether a sender may wait until its message of the end is taken.
  var endIsAwaited: Bool { get }
}

extension FrameFeed {
  /// Files and process variables wait for nobody.
  var endIsAwaited: Bool { false }
}

/// Images of a ZeroMQ stream.
final class ZeroMQFeed: FrameFeed {
  private let receiver: ZeroMQReceiver
  private let unpacker: FrameUnpacker
  private var decoder: StreamDecoder
  private var current: (header: FrameHeader, image: UnsafeRawBufferPointer)?

  /// A `push` sender without a receiver does not go on.
  let endIsAwaited = true
  /// Memory for messages that wait to be taken.
  private static let queueByteCount = 64 << 20
  private static let queueLengths = 8...1000

  init(_ address: StreamAddress, format: FrameFormat, rows: Range<Int>) throws(StreamError) {
    decoder = StreamDecoder(format: format)
    unpacker = FrameUnpacker(format: format, rows: rows)
    // A DECTRIS header holds a flat field of 32-bit floats.
    receiver = try ZeroMQReceiver(
      address, partByteCountMax: 4 * format.byteCount + 1 << 20,
      queueLength: Self.queueLength(imageByteCount: format.byteCount))
  }

  /// Images that may wait, where each has so many bytes.
  static func queueLength(imageByteCount: Int) -> Int {
    min(max(queueByteCount / imageByteCount, queueLengths.lowerBound), queueLengths.upperBound)
  }

  /// What was sent while nobody listened is gone, or waits at the sender.
  func resume(after number: UInt64) {}

  func next(timeout: Duration) throws -> FeedStep {
    current = nil
    guard let parts = try receiver.receive(timeout: timeout) else { return .nothing }
    do throws(MessageFault) {
      switch try decoder.decode(parts) {
      case .frame(let header, let image):
        current = (header, image)
        return .frame(header)
      case .other: return .other
      case .end(let count): return .end(count)
      }
    } catch {
      return .fault(error)
    }
  }

  func unpack(into target: UnsafeMutableRawBufferPointer) throws(MessageFault) {
    guard let current else { preconditionFailure("unpack before an image came") }
    try unpacker.unpack(current.image, current.header, into: target)
  }
}
