/// Images of a process variable of EPICS.
final class PVAccessFeed: FollowedFeed {
  private let receiver: PVAccessReceiver
  /// What came lies in the subscription's queue.
  let holdsFrames = true
  /// A variable waits for nobody: what comes while a scan's folder is made is to have room, whatever its size.
  private static let followedQueueLength = 128

  init(_ address: PVAccessAddress, format: FrameFormat) throws(StreamError) {
    receiver = try PVAccessReceiver(
      address, library: .load(), format: format, queueLength: ZeroMQFeed.queueLength(imageByteCount: format.byteCount))
  }

  /// Takes what comes, whatever it looks like.
  init(following address: PVAccessAddress) throws(StreamError) {
    receiver = try PVAccessReceiver(
      address, library: .load(), format: nil, queueLength: Self.followedQueueLength)
  }

  var format: FrameFormat { receiver.format }

  var announcement: ScanAnnouncement { receiver.announcement }

  /// The images that a detector has sent before are counted too, and the last of them was there when it was found.
  var firstNumber: FrameNumbering.FirstNumber { receiver.held.map { .expected($0 + 1) } ?? .unknown }

  func resume(after number: UInt64, last _: UInt64) { receiver.resume(after: number) }

  func next(timeout: Duration) throws -> FeedStep {
    switch try receiver.next(timeout: timeout) {
    case .frame(let header, let image): return .frame(header, image)
    case .fault(let fault, let detail): return .fault(fault, detail)
    case .listening(let peer): return .notice(.listening(to: peer))
    case .disconnected: return .notice(.disconnected)
    case .other: return .other
    case .nothing: return .nothing
    case .end: return .end(nil)
    }
  }
}
