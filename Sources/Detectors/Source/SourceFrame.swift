package import Host
package import Rings

/// An image that a source delivers, with its bytes: what it is, and how it comes into a slot.
///
/// Its bytes stay where they came until the source's next step: a frame is written before that, and once.
package struct SourceFrame: ~Copyable {
  /// Where its bytes are, and who takes note of what became of them.
  enum Origin {
    /// In a scan file, from which they are read straight into the slot; the image's number among those of its kind.
    case file(FileSource, Int)
    /// In what a stream's sender sent.
    case stream(LiveSource, StreamImage)
    /// In messages of a fabric.
    case fabric(FabricSource)
  }

  /// The image of a stream that a frame is made of.
  struct StreamImage {
    /// The frame's number from the first one of the scan; of an interpolated projection not the image's own.
    let number: UInt64
    /// What the sender said of the image.
    let header: FrameHeader
    /// The image as it came.
    let bytes: UnsafeRawBufferPointer
    /// The share of the image in the frame, the rest being its predecessor's; 1 but for an interpolated projection.
    var weight: Float = 1
  }

  /// `.projection`, `.flat` or `.dark`.
  package let kind: EventKind
  /// Number of the image among those of its kind, from 0, in the order of delivery.
  package let index: Int
  /// Radians; 0 for flats and darks.
  package let theta: Double
  /// What a pixel is.
  package let pixel: PixelType
  /// How far apart updates are from it on, where the edge has decided that; 0 where nobody has, or all are made.
  package let interval: UInt16
  private let origin: Origin

  init(kind: EventKind, index: Int, theta: Double, pixel: PixelType, interval: UInt16 = 0, origin: Origin) {
    precondition(
      index >= 0 && (kind == .projection || kind == .flat || kind == .dark), "\(kind) \(index) is no image of a scan")
    (self.kind, self.index, self.theta, self.pixel, self.origin) = (kind, index, theta, pixel, origin)
    self.interval = interval
  }

  /// Writes the pixels, row by row, straight into a slot's `payload`, which holds exactly the image, and what is known
  /// of their origin into its `metadata`; returns the bytes of metadata. Nil where the pixels turn out to be damaged,
  /// or to show nothing: then the image is as if it had never come, and `payload` may hold anything.
  package consuming func write(
    into payload: UnsafeMutableRawBufferPointer, metadata: UnsafeMutableRawBufferPointer
  ) throws -> Int? {
    switch origin {
    case .file(let source, let number): return try source.write(kind, number, into: payload, metadata: metadata)
    case .fabric(let source): return try source.write(into: payload, metadata: metadata)
    case .stream(let source, let image): return source.write(kind, image, into: payload, metadata: metadata)
    }
  }
}
