import CPNG
package import Host

/// An 8-bit grey picture as the bytes of a PNG, compressed quickly rather than well: for pictures that are looked at
/// once.
/// - Parameter grey: rows × columns, row 0 on top.
/// - Throws: `.io` under the name `name`.
package func encodePNG(name: String, columns: Int, rows: Int, grey: [UInt8]) throws(FileError) -> [UInt8] {
  precondition(columns > 0 && rows > 0, "a picture of nothing")
  precondition(grey.count == columns * rows, "\(grey.count) pixels for \(rows) × \(columns)")
  var image = png_image()
  image.version = png_uint_32(PNG_IMAGE_VERSION)
  image.width = png_uint_32(columns)
  image.height = png_uint_32(rows)
  image.format = cpng_format_grey()
  image.flags = UInt32(PNG_IMAGE_FLAG_FAST)
  defer { png_image_free(&image) }

  // Room for pixels that cannot be compressed, so that they are compressed once and not a second time for their size.
  var byteCount = grey.count + grey.count / 8 + rows + 4096
  var bytes = [UInt8](repeating: 0, count: byteCount)
  guard png_image_write_to_memory(&image, &bytes, &byteCount, 0, grey, 0, nil) != 0 else {
    let text = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    throw .io(path: name, reason: "libpng: \(text)")
  }
  bytes.removeSubrange(byteCount...)
  return bytes
}
