import CTIFF
import Glibc
package import Host

/// Reads a TIFF that `writeTIFF` wrote back from the disk and compares every sample with what was to be written.
/// - Throws: `.badData` where they differ, `.cannotOpen` where the file is not there.
package func checkTIFF(
  path: String, columns: Int, rows: Int, values: UnsafeBufferPointer<Float>, pixels: TIFFPixels = .float32
) throws(FileError) {
  precondition(
    columns > 0 && rows > 0 && values.count == columns * rows, "\(values.count) values for \(rows) × \(columns)")
  let descriptor = try openUncached(path)
  let image = TIFFImage(columns: columns, rows: rows, pixels: pixels, description: "")
  guard try image.holds(values, descriptor, path: path) else {
    throw .badData(path: path, reason: "it is not what was written; look at the disk")
  }
}

extension VolumeReader {
  /// A reader of what the disk holds: what memory kept of the file is dropped first.
  package convenience init(uncached path: String) throws(FileError) {
    close(try openUncached(path))
    try self.init(path: path)
  }

  /// Reads slice `z` and compares it with `values`, columns × columns, bit by bit.
  /// - Throws: `.badData` where they differ or the file is damaged.
  package func check(_ z: Int, _ values: UnsafeBufferPointer<Float>) throws(FileError) {
    precondition(values.count == columns * columns, "\(values.count) values for a slice of \(columns) columns")
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
    defer { slice.deallocate() }
    try readSlice(z, into: slice)
    guard memcmp(slice.baseAddress!, values.baseAddress!, values.count * MemoryLayout<Float>.size) == 0 else {
      throw .badData(path: path, reason: "slice \(z) is not what was written; look at the disk")
    }
  }
}

/// Opens a file after dropping the clean pages that memory holds of it, so that reading asks the disk.
func openUncached(_ path: String) throws(FileError) -> Int32 {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
  guard descriptor >= 0 else { throw .cannotOpen(path: path, reason: errnoText(errno)) }
  // Only advice: where it is not followed, memory is compared and not the disk.
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  return descriptor
}

extension TIFFImage {
  /// Whether the file's samples are those of `values`. Closes `descriptor`.
  fileprivate func holds(_ values: UnsafeBufferPointer<Float>, _ descriptor: Int32, path: String) throws(FileError)
    -> Bool
  {
    let message = UnsafeMutablePointer<ctiff_message>.allocate(capacity: 1)
    message.initialize(to: ctiff_message())
    defer { message.deallocate() }
    // With c, the strips are as they lie in the file; libtiff would cut a single large one into many.
    guard let tiff = ctiff_open(descriptor, path, "rc", message) else {
      close(descriptor)
      throw .badData(path: path, reason: "it is no TIFF; look at the disk")
    }
    defer { TIFFClose(tiff) }
    let (found, expected) = (
      UnsafeMutableRawPointer.allocate(byteCount: stripRows * rowBytes, alignment: 64),
      UnsafeMutableRawPointer.allocate(byteCount: stripRows * rowBytes, alignment: 64)
    )
    defer {
      found.deallocate()
      expected.deallocate()
    }
    var (width, height): (UInt32, UInt32) = (0, 0)
    guard ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGEWIDTH), &width) == 1,
      ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGELENGTH), &height) == 1,
      Int(width) == columns, Int(height) == rows, Int(TIFFStripSize(tiff)) == stripRows * rowBytes
    else { return false }
    for (index, top) in stride(from: 0, to: rows, by: stripRows).enumerated() {
      let bottom = min(top + stripRows, rows)
      let byteCount = (bottom - top) * rowBytes
      pixels.convert(values[top * columns..<bottom * columns], into: expected)
      guard TIFFReadEncodedStrip(tiff, UInt32(index), found, tmsize_t(byteCount)) == byteCount,
        memcmp(found, expected, byteCount) == 0
      else {
        return false
      }
    }
    return true
  }
}
