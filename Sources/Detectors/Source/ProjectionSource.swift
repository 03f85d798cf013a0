package import Host
package import Rings
package import RunModel

/// One image that a source is about to deliver.
package struct Frame: Equatable, Sendable {
  /// `.projection`, `.flat` or `.dark`.
  package var kind: EventKind
  /// Number of the image among those of its kind, from 0, in the order of delivery.
  package var index: Int
  /// Radians; 0 for flats and darks.
  package var theta: Double
  /// What a pixel is.
  package var pixel: PixelType
}

/// What a source has next.
package enum SourceStep: Equatable, Sendable {
  /// An image.
  case frame(Frame)
  /// Nothing yet.
  case nothing
  /// Nothing any more: the scan is complete.
  case end
}

/// Where projections come from: a file, a folder, a detector's stream. A source is used by one thread.
package protocol ProjectionSource: AnyObject {
  /// Detector rows and columns of every frame.
  var shape: (rows: Int, columns: Int) { get }

  /// Goes on behind what a predecessor published: `count` images, the last of which carries `metadata`. Returns how
  /// many of them are projections; nil where the source has fewer images, or cannot tell.
  func resume(after count: UInt64, metadata: [UInt8]) throws -> Int?

  /// Describes the next image, for which it waits up to `timeout`.
  func next(timeout: Duration) throws -> SourceStep

  /// Writes the pixels of the frame that `next` described last, row by row, straight into a ring slot. False where they
  /// turn out to be damaged: then the image is as if it had never come.
  func read(into payload: UnsafeMutableRawBufferPointer) throws -> Bool

  /// Writes what is known of the frame's origin into a slot's metadata; returns the bytes used.
  func describe(into metadata: UnsafeMutableRawBufferPointer) -> Int

  /// What a source that nobody can ask again has lost; nil for others.
  var losses: LossLedger? { get }

  /// Hears, after the end was published, what the sender may still have to say, for a moment: it may wait until
  /// somebody takes it.
  func takeLeave()
}

extension ProjectionSource {
  /// A file knows nothing of a frame that is not in the file.
  package func describe(into metadata: UnsafeMutableRawBufferPointer) -> Int { 0 }

  /// A file can be read again.
  package var losses: LossLedger? { nil }

  /// A file does not care.
  package func takeLeave() {}
}
