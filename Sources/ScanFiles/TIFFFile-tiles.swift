internal import CTIFF

// Images in tiles, as programs write them that look at parts of large pictures. A tile at an edge reaches beyond the
// image; what is there is no pixel.
extension TIFFFile {
  /// The shape of the present directory's tiles; nil of an image in strips.
  func tileShape(_ sample: Sample) throws(TIFFFault) -> (rows: Int, columns: Int)? {
    guard TIFFIsTiled(tiff) != 0 else { return nil }
    var (width, length): (UInt32, UInt32) = (0, 0)
    guard ctiff_get_u32(tiff, UInt32(TIFFTAG_TILEWIDTH), &width) == 1,
      ctiff_get_u32(tiff, UInt32(TIFFTAG_TILELENGTH), &length) == 1, width > 0, length > 0
    else { throw .incomplete }
    let (pixels, overflow) = Int(width).multipliedReportingOverflow(by: Int(length))
    guard !overflow, pixels <= Self.stripBytesMax / sample.byteCount,
      TIFFTileSize64(tiff) == UInt64(pixels * sample.byteCount)
    else { throw .layout }
    return (Int(length), Int(width))
  }

  /// Reads rows of an image in tiles, whose directory is the present one.
  func readTiles(
    _ page: Page, _ tile: (rows: Int, columns: Int), rows: Range<Int>, into target: UnsafeMutableRawBufferPointer
  ) throws(TIFFFault) {
    let byteCount = tile.rows * tile.columns * page.sample.byteCount
    if strip.count < byteCount { strip = [UInt8](repeating: 0, count: byteCount) }
    for top in stride(from: rows.lowerBound / tile.rows * tile.rows, to: rows.upperBound, by: tile.rows) {
      let wanted = max(top, rows.lowerBound)..<min(top + tile.rows, rows.upperBound)
      for left in stride(from: 0, to: page.columns, by: tile.columns) {
        let number = TIFFComputeTile(tiff, UInt32(left), UInt32(top), 0, 0)
        let read = strip.withUnsafeMutableBytes {
          TIFFReadEncodedTile(tiff, number, $0.baseAddress, tmsize_t(byteCount))
        }
        guard read == byteCount else { throw .incomplete }
        let width = min(tile.columns, page.columns - left)
        strip.withUnsafeBytes { pixels in
          for row in wanted {
            let start = (row - top) * tile.columns * page.sample.byteCount
            convert(
              UnsafeRawBufferPointer(rebasing: pixels[start..<start + width * page.sample.byteCount]), page.sample,
              into: target, at: (row - rows.lowerBound) * page.columns + left)
          }
        }
      }
    }
  }
}
