/// What a feed has next.
package enum FeedStep {
  /// An image: what was said of it, and its bytes, which are valid until the next step.
  case frame(FrameHeader, UnsafeRawBufferPointer)
  /// Something that is dropped, with what is known of it beyond the fault.
  case fault(MessageFault, String? = nil)
  /// Something to tell people.
  case notice(SourceNotice)
  /// A series begins.
  case series(UInt64)
  /// Nothing that matters.
  case other
  /// Frames have come, and one before them is still waited for.
  case held
  /// Nothing yet.
  case nothing
  /// The series is complete; its number of images, where that is known.
  case end(UInt64?)
}

/// Where the images of a live source come from.
package protocol FrameFeed: AnyObject {
  /// Passes over frames with numbers below `number`, which a predecessor has taken or missed; the last one that it
  /// published was `last`.
  func resume(after number: UInt64, last: UInt64) throws

  /// The next step, for which it waits up to `timeout`.
  func next(timeout: Duration) throws -> FeedStep

  /// Whether frames may wait here that nobody sends again.
  var holdsFrames: Bool { get }

  /// Whether a sender may wait until its message of the end is taken.
  var endIsAwaited: Bool { get }

  /// Whether an end is that of this scan, also where no frame of it came.
  var endIsCertain: Bool { get }

  /// What is known of the number of the scan's first frame, once the first one that came is the last step.
  var firstNumber: FrameNumbering.FirstNumber { get }
}

extension FrameFeed {
  /// Files stay where they are.
  package var holdsFrames: Bool { false }

  /// Files and process variables wait for nobody.
  package var endIsAwaited: Bool { false }

  /// Before every frame it may be that of the series before.
  package var endIsCertain: Bool { false }

  /// Files are counted from 0, where nothing else was said.
  package var firstNumber: FrameNumbering.FirstNumber { .exactly(0) }
}
