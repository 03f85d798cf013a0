/// Images of a ZeroMQ stream.
final class ZeroMQFeed: FrameFeed {
  private let receiver: ZeroMQReceiver
  private var decoder: StreamDecoder

  /// A `push` sender without a receiver does not go on.
  let endIsAwaited = true
  /// Memory for messages that wait to be taken.
  private static let queueByteCount = 64 << 20
  private static let queueLengths = 8...1000

  init(_ address: StreamAddress, format: FrameFormat) throws(StreamError) {
    decoder = StreamDecoder(format: format)
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
    guard let parts = try receiver.receive(timeout: timeout) else { return .nothing }
    do throws(MessageFault) {
      switch try decoder.decode(parts) {
      case .frame(let header, let image): return .frame(header, image)
      case .other: return .other
      case .end(let count): return .end(count)
      }
    } catch {
      return .fault(error)
    }
  }
}
