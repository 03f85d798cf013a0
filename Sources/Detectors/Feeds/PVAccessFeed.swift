/// Images of a process variable of EPICS.
final class PVAccessFeed: FrameFeed {
  private let receiver: PVAccessReceiver
  private let unpacker: FrameUnpacker
  private var current: (header: FrameHeader, image: UnsafeRawBufferPointer)?

  init(_ address: PVAccessAddress, format: FrameFormat, rows: Range<Int>) throws(StreamError) {
    unpacker = FrameUnpacker(format: format, rows: rows)
    receiver = try PVAccessReceiver(
      address, library: .load(), format: format, queueLength: ZeroMQFeed.queueLength(imageByteCount: format.byteCount))
  }

  func resume(after number: UInt64) { receiver.resume(after: number) }

  func next(timeout: Duration) throws -> FeedStep {
    current = nil
    switch try receiver.next(timeout: timeout) {
    case .frame(let header, let image):
      current = (header, image)
      return .frame(header)
    case .fault(let fault, let detail): return .fault(fault, detail)
    case .listening(let peer): return .notice(.listening(to: peer))
    case .disconnected: return .notice(.disconnected)
    case .other: return .other
    case .nothing: return .nothing
    case .end: return .end(nil)
    }
  }

  func unpack(into target: UnsafeMutableRawBufferPointer) throws(MessageFault) {
    guard let current else { preconditionFailure("unpack before an image came") }
    try unpacker.unpack(current.image, current.header, into: target)
  }
}
