package import Host

/// What the images of a scan look like.
package struct FrameFormat: Equatable, Sendable {
  /// Detector rows.
  package var rows: Int
  /// Detector columns.
  package var columns: Int
  /// What a pixel is.
  package var pixel: PixelType

  /// A format as given.
  package init(rows: Int, columns: Int, pixel: PixelType) {
    precondition(rows > 0 && columns > 0, "\(rows) × \(columns) pixels")
    (self.rows, self.columns, self.pixel) = (rows, columns, pixel)
  }

  /// Bytes of an image.
  package var byteCount: Int { rows * columns * pixel.byteCount }
}

/// What an image is of, as NXtomo counts it.
package enum ImageKey: Int, Sendable, CaseIterable {
  /// The sample.
  case projection = 0
  /// The beam without a sample.
  case flat
  /// The detector without a beam.
  case dark
  /// Something that went wrong.
  case invalid
}

/// How the bytes of an image are packed.
package enum FrameEncoding: Equatable, Sendable {
  /// Not at all.
  case none
  /// One LZ4 block.
  case lz4
  /// LZ4 blocks with their sizes, as the LZ4 filter of HDF5 writes them.
  case lz4Blocks
  /// LZ4 blocks of shuffled bits, as the bitshuffle filter of HDF5 writes them.
  case bitshuffleLZ4
  /// The same without the sizes before the first block, in blocks of 8 KiB, as EPICS detectors send them.
  case bitshuffleBlocks
}

/// The number of a frame as a detector's counter has it: one of 32 bits with a sign goes on below zero, where others
/// have the upper half of these bits. Nil for none.
func frameNumber(_ counter: Int64) -> UInt64? {
  if counter < 0 { return counter >= Int64(Int32.min) ? UInt64(UInt32(bitPattern: Int32(counter))) : nil }
  return UInt64(counter) <= StreamDecoder.numberMax ? UInt64(counter) : nil
}

/// What a stream says of an image, checked.
package struct FrameHeader: Equatable, Sendable {
  /// Its number at the detector.
  package var number: UInt64
  /// The series that it is of, where the detector counts these.
  package var series: UInt64?
  /// How its bytes are packed.
  package var encoding: FrameEncoding = .none
  /// Whether the most significant byte of a pixel comes first.
  package var isBigEndian = false
  /// The angle, in the unit of the stream.
  package var theta: Double?
  /// What it is of, where the stream says so.
  package var key: ImageKey?
  /// When it was taken, by the detector's clock.
  package var timestamp: Double?

  /// A plain image, by its number alone.
  package init(number: UInt64) { self.number = number }
}

/// A message of a stream.
package enum StreamMessage {
  /// An image; its bytes are valid as long as the message is.
  case frame(FrameHeader, UnsafeRawBufferPointer)
  /// Nothing that a reconstruction needs.
  case other
  /// A series begins, whose images have numbers from 0.
  case series(UInt64)
  /// The series is complete; its number of images, where the stream says so.
  case end(UInt64?)
}
