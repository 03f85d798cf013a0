internal import CTIFF
internal import Glibc
package import Host

/// Why a TIFF is no image of a scan.
package enum TIFFFault: Error, Equatable, Sendable {
  /// It is cut short or damaged: somebody may still be writing it.
  case incomplete
  /// Its image has another shape.
  case shape
  /// Its pixels have another type, or several samples.
  case pixel
  /// It is tiled, which no detector's image is.
  case layout
}

/// Reads the first image of a grey TIFF into `target`, row by row, as pixels of this machine; whatever libtiff unpacks.
/// A file that somebody is still writing is `.incomplete` until all of its strips are there.
/// - Parameter target: rows × columns pixels, exactly.
package func readTIFF(
  path: String, rows: Int, columns: Int, pixel: PixelType, into target: UnsafeMutableRawBufferPointer
) throws(TIFFFault) {
  precondition(target.count == rows * columns * pixel.byteCount, "room for \(target.count) B")
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { throw .incomplete }
  guard isRegularFile(descriptor) else {
    close(descriptor)
    throw .incomplete
  }
  let message = UnsafeMutablePointer<ctiff_message>.allocate(capacity: 1)
  message.initialize(to: ctiff_message())
  defer { message.deallocate() }
  // Without memory mapping: whoever cuts the file meanwhile must not end this process.
  guard let tiff = ctiff_open(descriptor, path, "rm", message) else {
    close(descriptor)
    throw .incomplete
  }
  defer { TIFFClose(tiff) }
  try check(tiff, rows: rows, columns: columns, pixel: pixel)
  try readStrips(tiff, rows: rows, rowByteCount: columns * pixel.byteCount, into: target)
}

private func check(_ tiff: OpaquePointer, rows: Int, columns: Int, pixel: PixelType) throws(TIFFFault) {
  var (width, length): (UInt32, UInt32) = (0, 0)
  guard ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGEWIDTH), &width) == 1,
    ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGELENGTH), &length) == 1
  else {
    throw .incomplete
  }
  guard width == columns, length == rows else { throw .shape }
  // What the tags are where a file does not have them.
  var (bits, samples, format): (UInt16, UInt16, UInt16) = (1, 1, UInt16(SAMPLEFORMAT_UINT))
  _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_BITSPERSAMPLE), &bits)
  _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_SAMPLESPERPIXEL), &samples)
  _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_SAMPLEFORMAT), &format)
  let wanted = pixel == .float32 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT
  guard samples == 1, Int(bits) == 8 * pixel.byteCount, Int32(format) == Int32(wanted) else { throw .pixel }
  guard TIFFIsTiled(tiff) == 0 else { throw .layout }
}

private func readStrips(
  _ tiff: OpaquePointer, rows: Int, rowByteCount: Int, into target: UnsafeMutableRawBufferPointer
) throws(TIFFFault) {
  var stripRows = UInt32.max
  _ = ctiff_get_u32(tiff, UInt32(TIFFTAG_ROWSPERSTRIP), &stripRows)
  let height = min(rows, Int(stripRows))
  guard height > 0 else { throw .incomplete }
  for (strip, top) in stride(from: 0, to: rows, by: height).enumerated() {
    let size = min(height, rows - top) * rowByteCount
    let read = TIFFReadEncodedStrip(tiff, UInt32(strip), target.baseAddress! + top * rowByteCount, tmsize_t(size))
    guard read == size else { throw .incomplete }
  }
}
