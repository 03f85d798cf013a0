/// Images of a ZeroMQ stream.
package final class ZeroMQFeed: FollowedFeed {
  private let receiver: ZeroMQReceiver
  private var decoder: StreamDecoder
  /// Faults that were described: people need one message of each.
  private var described: Set<MessageFault> = []
  private let address: StreamAddress
  private let partByteCountMax: Int
  /// Messages so far, and at the end of the last connection; connections that ended without one, one after the other.
  private var (messages, messagesBefore, emptyConnections) = (0, 0, 0)
  /// The message of the last step, valid until the next.
  private var parts: UnsafeBufferPointer<UnsafeRawBufferPointer>?
  /// Since when there is no connection that was there.
  private var lostSince: ContinuousClock.Instant?

  /// What came lies in libzmq's queue and the socket's buffers.
  package let holdsFrames = true
  /// A `push` sender without a receiver does not go on.
  package let endIsAwaited = true
  /// Memory for messages that wait to be taken.
  private static let queueByteCount = 64 << 20
  private static let queueLengths = 8...1000
  /// A part may be so long whatever an image has: what is wrong with a detector of another size is to be said.
  private static let partByteCountMin = 16 << 20
  /// libzmq tries again after 20 ms, and then less often: a sender that is there has a connection by now.
  private static let ownReconnect: Duration = .milliseconds(250)

  init(_ address: StreamAddress, _ configuration: LiveSource.Configuration) throws(StreamError) {
    let format = configuration.format
    decoder = StreamDecoder(
      format: format, channel: configuration.channel, series: configuration.origin.series,
      firstImage: configuration.firstFrame ?? 0)
    // A DECTRIS header holds a flat field and a mask of 32 bits a pixel, of stream version 2 all of them in one part.
    (self.address, partByteCountMax) = (address, max(16 * format.byteCount + 1 << 20, Self.partByteCountMin))
    receiver = try ZeroMQReceiver(
      address, partByteCountMax: partByteCountMax,
      queueLength: Self.queueLength(imageByteCount: format.byteCount))
  }

  /// Takes what comes, whatever it looks like; `series` is the one that a predecessor was in.
  init(following address: StreamAddress, channel: String?, series: UInt64?) throws(StreamError) {
    decoder = StreamDecoder(followingStreamWith: channel, series: series)
    (self.address, partByteCountMax) = (address, Self.followedPartByteCountMax)
    receiver = try ZeroMQReceiver(
      address, partByteCountMax: partByteCountMax, queueLength: Self.followedQueueLength)
  }

  /// No image of a detector is larger; libzmq may hold so many of these.
  private static let followedPartByteCountMax = 1 << 30
  private static let followedQueueLength = 16

  /// What the image of the last step looks like.
  package var format: FrameFormat { decoder.format }

  /// What the message of the last step says of its scan.
  package var announcement: ScanAnnouncement { parts.map { ScanAnnouncement($0) } ?? ScanAnnouncement() }

  /// DECTRIS numbers the images of a series from 0.
  package var firstNumber: FrameNumbering.FirstNumber { decoder.series == nil ? .unknown : .exactly(0) }

  /// Images that may wait, where each has so many bytes.
  static func queueLength(imageByteCount: Int) -> Int {
    min(max(queueByteCount / imageByteCount, queueLengths.lowerBound), queueLengths.upperBound)
  }

  /// What was sent while nobody listened is gone, or waits at the sender.
  package func resume(after number: UInt64, last _: UInt64) { decoder.goOn() }

  package func next(timeout: Duration) throws -> FeedStep {
    parts = try receiver.receive(timeout: timeout)
    guard let parts else { return try lookAtConnection() }
    messages += 1
    do throws(MessageFault) {
      switch try decoder.decode(parts) {
      case .frame(let header, let image): return .frame(header, image)
      case .series(let series): return .series(series)
      case .other: return .other
      case .end(let count): return .end(count)
      }
    } catch {
      guard described.insert(error).inserted else { return .fault(error) }
      return .fault(error, decoder.words(for: error, parts))
    }
  }

  /// What became of the connection while nothing came. libzmq ends one over which a longer part is announced than is
  /// allowed, says nobody why, and does not connect anew.
  private func lookAtConnection() throws(StreamError) -> FeedStep {
    switch receiver.connectionEvent() {
    case nil:
      if let lostSince, .now - lostSince > Self.ownReconnect {
        self.lostSince = nil
        try receiver.reconnect()
      }
      return .nothing
    case .connected:
      lostSince = nil
      return .notice(.listening(to: address.description))
    case .disconnected:
      lostSince = .now
      emptyConnections = messages == messagesBefore ? emptyConnections + 1 : 0
      messagesBefore = messages
      guard emptyConnections > 1 else { return .notice(.disconnected) }
      let words = "the connection ended twice without a whole message: has it parts of more than \(largestPart) MiB?"
      return .fault(.size, described.insert(.size).inserted ? words : nil)
    }
  }

  private var largestPart: Int { partByteCountMax >> 20 }
}
