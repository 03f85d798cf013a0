/// What a feed has next.
enum FeedStep {
  /// An image: what was said of it, and its bytes, which are valid until the next step.
  case frame(FrameHeader, UnsafeRawBufferPointer)
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

  /// Whether a sender may wait until its message of the end is taken.
  var endIsAwaited: Bool { get }
}

extension FrameFeed {
  /// Files and process variables wait for nobody.
  var endIsAwaited: Bool { false }
}
