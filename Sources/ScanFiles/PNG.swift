import CPNG

/// Writes an 8-bit grey picture as a PNG, durable and complete or not at all.
/// - Parameter grey: rows × columns, row 0 on top.
/// - Throws: `.cannotCreate` or `.io`; then nothing of the file is left.
public func writePNG(path: String, columns: Int, rows: Int, grey: [UInt8]) throws(ScanFileError) {
  precondition(grey.count == columns * rows, "\(grey.count) pixels for \(rows) × \(columns)")
  try writePNG(path: path, columns: columns, rows: rows, pixels: grey, format: cpng_format_grey())
}

/// Writes an 8-bit colour picture as a PNG, durable and complete or not at all.
/// - Parameter rgb: rows × columns × (red, green, blue), row 0 on top.
/// - Throws: `.cannotCreate` or `.io`; then nothing of the file is left.
public func writePNG(path: String, columns: Int, rows: Int, rgb: [UInt8]) throws(ScanFileError) {
  precondition(rgb.count == columns * rows * 3, "\(rgb.count) bytes for \(rows) × \(columns) × 3")
  try writePNG(path: path, columns: columns, rows: rows, pixels: rgb, format: cpng_format_rgb())
}

private func writePNG(path: String, columns: Int, rows: Int, pixels: [UInt8], format: UInt32) throws(ScanFileError) {
  precondition(columns > 0 && rows > 0, "a picture of nothing")
  var image = png_image()
  image.version = png_uint_32(PNG_IMAGE_VERSION)
  image.width = png_uint_32(columns)
  image.height = png_uint_32(rows)
  image.format = format
  defer { png_image_free(&image) }

  var byteCount = 0
  guard png_image_write_to_memory(&image, nil, &byteCount, 0, pixels, 0, nil) != 0 else { throw failure(path, image) }
  var bytes = [UInt8](repeating: 0, count: byteCount)
  guard png_image_write_to_memory(&image, &bytes, &byteCount, 0, pixels, 0, nil) != 0 else { throw failure(path, image) }
  try writeFileAtomically(path: path, bytes: bytes)
}

private func failure(_ path: String, _ image: png_image) -> ScanFileError {
  let text = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  return .io(path: path, reason: "libpng: \(text)")
}
