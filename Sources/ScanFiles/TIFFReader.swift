package import Host

/// Why a TIFF is no image of a scan.
package enum TIFFFault: Error, Equatable, Sendable {
  /// It is cut short or damaged: somebody may still be writing it.
  case incomplete
  /// It cannot be opened, for this reason.
  case unreadable(String)
  /// Its image has another shape.
  case shape
  /// Its pixels have another type, or several samples.
  case pixel
  /// Its strips or tiles are too large, or it has more images than a scan, or several that lie in its only one.
  case layout
}

/// Reads the first image of a grey TIFF into `target`, row by row, as pixels of this machine; whatever libtiff unpacks.
/// A file that somebody is still writing is `.incomplete` until all of its strips or tiles are there.
/// - Parameter target: rows × columns pixels, exactly.
package func readTIFF(
  path: String, rows: Int, columns: Int, pixel: PixelType, into target: UnsafeMutableRawBufferPointer
) throws(TIFFFault) {
  precondition(target.count == rows * columns * pixel.byteCount, "room for \(target.count) B")
  let file = try TIFFFile(path)
  guard let page = try file.pages().first else { throw .layout }
  guard (page.rows, page.columns) == (rows, columns) else { throw .shape }
  guard page.sample.pixel == pixel else { throw .pixel }
  try file.read(page, rows: 0..<rows, into: target)
}

/// The same of an image of any shape: `room` gives the memory for rows × columns pixels, or throws.
package func readTIFF(
  path: String,
  _ room: (_ rows: Int, _ columns: Int, _ pixel: PixelType) throws(TIFFFault) -> UnsafeMutableRawBufferPointer
) throws(TIFFFault) {
  let file = try TIFFFile(path)
  guard let page = try file.pages().first else { throw .layout }
  let target = try room(page.rows, page.columns, page.sample.pixel)
  precondition(
    target.count == page.rows * page.columns * page.sample.pixel.byteCount, "room for \(target.count) B")
  try file.read(page, rows: 0..<page.rows, into: target)
}
