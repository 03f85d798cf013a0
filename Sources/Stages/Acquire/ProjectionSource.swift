public import Rings

/// One image that a source is about to deliver.
public struct Frame: Equatable, Sendable {
  /// `.projection`, `.flat` or `.dark`.
  public var kind: EventKind
  /// Number of the image among those of its kind, from 0.
  public var index: Int
  /// Radians; 0 for flats and darks.
  public var theta: Double
  /// What a pixel is.
  public var elementType: ElementType
}

/// Where projections come from: a file now, a detector stream later. A source is used by one thread.
public protocol ProjectionSource: AnyObject {
  /// Detector rows and columns of every frame.
  var shape: (rows: Int, columns: Int) { get }

  /// Describes the next frame, or nil at the end of the scan.
  func next() throws -> Frame?

  /// Writes the pixels of the frame that `next` described last, row by row, straight into a ring slot.
  func read(into payload: UnsafeMutableRawBufferPointer) throws
}
