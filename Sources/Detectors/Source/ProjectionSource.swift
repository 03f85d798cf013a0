package import RunModel
package import Tomography

/// What a source has next.
package enum SourceStep: ~Copyable {
  /// An image.
  case frame(SourceFrame)
  /// Nothing yet.
  case nothing
  /// Nothing any more: the scan is complete.
  case end
}

/// Where projections come from: a file, a folder, a detector's stream. A source is used by one thread.
package protocol ProjectionSource: AnyObject {
  /// Detector rows and columns of every frame.
  var shape: (rows: Int, columns: Int) { get }

  /// Starts the programs of a person's that the source asks while it delivers, before its first image.
  func startPrograms(_ start: @escaping GapProgram.Start)

  /// Goes on behind what a predecessor published: `count` images. The last `lost` of them are lost; the one before
  /// those carries `metadata`. Returns how many projections the next image comes after; nil where the source has fewer
  /// images.
  func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) throws -> Int?

  /// The next image, for which it waits up to `timeout`. The bytes of the one before are gone then.
  func next(timeout: Duration) throws -> SourceStep

  /// Hears how bright fields are that came from elsewhere, before its first image.
  func know(_ level: BeamLevel)

  /// What a source that nobody can ask again has lost, and what any has left out; nil for nothing of that.
  var losses: LossLedger? { get }

  /// Why there is nothing any more, once it has said `.end`.
  var endReason: EndEvent.Reason { get }

  /// Whether images may wait here that nobody sends again: who leaves takes them first.
  var holdsFrames: Bool { get }

  /// The end of the images of another run, once they have ended; nil of a source whose end is what came of it.
  var toldEnd: EndEvent? { get }

  /// Hears, after the end was published, what the sender may still have to say, for a moment: it may wait until
  /// somebody takes it.
  func takeLeave()
}

extension ProjectionSource {
  /// A file asks none.
  package func startPrograms(_ start: @escaping GapProgram.Start) {}

  /// A file has its own.
  package func know(_ level: BeamLevel) {}

  /// A file can be read again.
  package var losses: LossLedger? { nil }

  /// A file was read.
  package var endReason: EndEvent.Reason { .sourceEnded }

  /// A file can be read again.
  package var holdsFrames: Bool { false }

  /// A file has as many as it has.
  package var toldEnd: EndEvent? { nil }

  /// A file does not care.
  package func takeLeave() {}
}
