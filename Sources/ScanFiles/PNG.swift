import CPNG
package import Host

/// Writes an 8-bit grey picture as a PNG, durable and complete or not at all.
/// - Parameter grey: rows × columns, row 0 on top.
/// - Throws: `.cannotCreate` or `.io`; then nothing of the file is left.
package func writePNG(path: String, columns: Int, rows: Int, grey: [UInt8]) throws(FileError) {
  precondition(grey.count == columns * rows, "\(grey.count) pixels for \(rows) × \(columns)")
  try writePNG(path: path, columns: columns, rows: rows, pixels: grey, format: cpng_format_grey())
}

/// Writes an 8-bit colour picture as a PNG, durable and complete or not at all.
/// - Parameter rgb: rows × columns × (red, green, blue), row 0 on top.
/// - Throws: `.cannotCreate` or `.io`; then nothing of the file is left.
package func writePNG(path: String, columns: Int, rows: Int, rgb: [UInt8]) throws(FileError) {
  precondition(rgb.count == columns * rows * 3, "\(rgb.count) bytes for \(rows) × \(columns) × 3")
  try writePNG(path: path, columns: columns, rows: rows, pixels: rgb, format: cpng_format_rgb())
}

/// An 8-bit grey picture as the bytes of a PNG, compressed quickly rather than well: for pictures that are looked at
/// once.
/// - Parameter grey: rows × columns, row 0 on top.
/// - Throws: `.io` under the name `name`.
package func encodePNG(name: String, columns: Int, rows: Int, grey: [UInt8]) throws(FileError) -> [UInt8] {
  precondition(grey.count == columns * rows, "\(grey.count) pixels for \(rows) × \(columns)")
  return try encode(
    name, columns: columns, rows: rows, pixels: grey, format: cpng_format_grey(), flags: UInt32(PNG_IMAGE_FLAG_FAST))
}

private func writePNG(path: String, columns: Int, rows: Int, pixels: [UInt8], format: UInt32) throws(FileError) {
  try writeFileAtomically(
    path: path, bytes: encode(path, columns: columns, rows: rows, pixels: pixels, format: format, flags: 0))
}

private func encode(
  _ path: String, columns: Int, rows: Int, pixels: [UInt8], format: UInt32, flags: UInt32
) throws(FileError) -> [UInt8] {
  precondition(columns > 0 && rows > 0, "a picture of nothing")
  var image = png_image()
  image.version = png_uint_32(PNG_IMAGE_VERSION)
  image.width = png_uint_32(columns)
  image.height = png_uint_32(rows)
  image.format = format
  image.flags = flags
  defer { png_image_free(&image) }

  // Room for pixels that cannot be compressed, so that they are compressed once and not a second time for their size.
  var byteCount = pixels.count + pixels.count / 8 + rows + 4096
  var bytes = [UInt8](repeating: 0, count: byteCount)
  guard png_image_write_to_memory(&image, &bytes, &byteCount, 0, pixels, 0, nil) != 0 else {
    throw failure(path, image)
  }
  bytes.removeSubrange(byteCount...)
  return bytes
}

private func failure(_ path: String, _ image: png_image) -> FileError {
  let text = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  return .io(path: path, reason: "libpng: \(text)")
}
