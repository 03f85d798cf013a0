import Host
import Tomography

/// Brings a stream's images into the form of a slot: unpacked, cropped and binned. Without binning an image goes
/// straight from its message to its slot.
final class FramePixels {
  private let configuration: LiveSource.Configuration
  private let unpacker: FrameUnpacker
  private let unbinned: UnsafeMutableRawBufferPointer?

  init(_ configuration: LiveSource.Configuration) {
    self.configuration = configuration
    unpacker = FrameUnpacker(format: configuration.format, rows: configuration.rows)
    unbinned = configuration.binning == 1 ? nil : .allocate(byteCount: unpacker.byteCount, alignment: 64)
  }

  deinit { unbinned?.deallocate() }

  /// Rows and columns in the slot.
  var shape: (rows: Int, columns: Int) {
    (configuration.rows.count / configuration.binning, configuration.format.columns / configuration.binning)
  }

  /// What a pixel is in the slot.
  var pixel: PixelType { configuration.binning == 1 ? configuration.format.pixel : .float32 }

  /// Bytes of an image in the slot.
  var byteCount: Int { shape.rows * shape.columns * pixel.byteCount }

  /// Writes an image into `target`, which holds `byteCount` bytes. Throws `.compression` where it does not unpack to
  /// its format; then `target` may hold anything.
  func write(_ image: SourceFrame.StreamImage, into target: UnsafeMutableRawBufferPointer) throws(MessageFault) {
    guard let unbinned else { return try unpacker.unpack(image.bytes, image.header, into: target) }
    try unpacker.unpack(image.bytes, image.header, into: unbinned)
    bin(
      UnsafeRawPointer(unbinned.baseAddress!), type: configuration.format.pixel, rows: configuration.rows.count,
      columns: configuration.format.columns, by: configuration.binning,
      into: target.baseAddress!.assumingMemoryBound(to: Float.self))
  }
}
