import CTIFF
import Glibc
package import Host

/// How values become TIFF pixels.
package enum TIFFPixels: Sendable, Equatable {
  /// As they are.
  case float32
  /// The range onto 0 … 65535; what is outside goes to its ends, NaN to 0.
  case uint16(range: ClosedRange<Float>)
  /// The range onto 0 … 255; what is outside goes to its ends, NaN to 0.
  case uint8(range: ClosedRange<Float>)

  fileprivate var byteCount: Int {
    switch self {
    case .float32: 4
    case .uint16: 2
    case .uint8: 1
    }
  }

  fileprivate var range: ClosedRange<Float>? {
    switch self {
    case .float32: nil
    case .uint16(let range), .uint8(let range): range
    }
  }

  /// The values, each times `scale`.
  func convert(_ values: Slice<UnsafeBufferPointer<Float>>, scale: Float = 1, into bytes: UnsafeMutableRawPointer) {
    switch self {
    case .float32 where scale != 1:
      let target = bytes.assumingMemoryBound(to: Float.self)
      for (index, value) in values.enumerated() { target[index] = value * scale }
    case .float32:
      UnsafeMutableRawBufferPointer(start: bytes, count: values.count * byteCount)
        .copyMemory(from: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: values)))
    case .uint16(let range):
      let codes = bytes.assumingMemoryBound(to: UInt16.self)
      for (index, value) in values.enumerated() { codes[index] = Self.code(value * scale, in: range) }
    case .uint8(let range):
      let codes = bytes.assumingMemoryBound(to: UInt8.self)
      for (index, value) in values.enumerated() { codes[index] = Self.code(value * scale, in: range) }
    }
  }

  private static func code<Code: FixedWidthInteger>(_ value: Float, in range: ClosedRange<Float>) -> Code {
    guard value > range.lowerBound else { return 0 }  // NaN too.
    guard value < range.upperBound else { return Code.max }
    let (low, high) = (Double(range.lowerBound), Double(range.upperBound))
    return Code(((Double(value) - low) / (high - low) * Double(Code.max)).rounded())
  }
}

/// Writes a grey image as an uncompressed TIFF (BigTIFF above 4 GB), durable and complete or not at all.
///
/// The tags say how pixels are to be read: bits per sample, sample format, and that black is zero.
/// - Parameters:
///   - values: rows × columns, row 0 on top.
///   - description: for the ImageDescription tag. For integers, the range is added to it.
///   - voxelSizeMillimetres: the edge of a pixel, and the distance to the next slice, for the tags of the resolution
///     and for ImageJ; nil where nobody knows it.
/// - Throws: `.cannotCreate`, `.full` or `.io`; then nothing of the file is left.
package func writeTIFF(
  path: String, columns: Int, rows: Int, values: UnsafeBufferPointer<Float>, pixels: TIFFPixels = .float32,
  description: String, voxelSizeMillimetres: Double? = nil
) throws(FileError) {
  precondition(
    columns > 0 && rows > 0 && values.count == columns * rows, "\(values.count) values for \(rows) × \(columns)")
  let file = try AtomicFile(path: path)
  let image = TIFFImage(
    columns: columns, rows: rows, pixels: pixels, description: description, voxelSizeMillimetres: voxelSizeMillimetres)
  try image.write(values, path: path, descriptor: file.descriptor)
  try file.commit()
}

extension TIFFImage {
  /// Writes the image, each of its values times `scale`, to a file that is begun, and has the system write it to disk.
  /// Images may be written by several threads at once.
  /// - Throws: `.full` or `.io`.
  package func write(
    _ values: UnsafeBufferPointer<Float>, scale: Float, to file: AtomicFileGroup.Member
  ) throws(FileError) {
    precondition(values.count == columns * rows, "\(values.count) values for \(rows) × \(columns)")
    try write(values, scale: scale, path: file.path, descriptor: file.descriptor)
    file.beginWriting()
  }

  fileprivate func write(
    _ values: UnsafeBufferPointer<Float>, scale: Float = 1, path: String, descriptor: Int32
  ) throws(FileError) {
    do throws(Failure) { try write(values, scale: scale, to: descriptor, path: path) } catch {
      throw error.code.map { .writing(path, $0) } ?? .io(path: path, reason: error.reason)
    }
  }
}

/// A TIFF with one grey image.
package struct TIFFImage {
  struct Failure: Error {
    let reason: String
    /// The system's error number; nil where only the library knows.
    let code: Int32?

    init(reason: String) { (self.reason, code) = (reason, nil) }
    init(code: Int32) { (reason, self.code) = (errnoText(code), code) }
  }

  let columns: Int
  let rows: Int
  let pixels: TIFFPixels
  private let description: String
  private let voxelSizeMillimetres: Double?

  /// Bytes of a strip, of which a thread that writes an image has one in memory.
  package static let stripBytes = 1 << 20
  /// Header, tags and strip offsets of one image stay far below this.
  private static let margin = 1 << 24

  package init(
    columns: Int, rows: Int, pixels: TIFFPixels, description: String, voxelSizeMillimetres: Double? = nil
  ) {
    self.columns = columns
    self.rows = rows
    self.pixels = pixels
    self.description = description
    self.voxelSizeMillimetres = voxelSizeMillimetres
  }

  /// Whether a classic TIFF's 32-bit offsets are too short.
  package var isBig: Bool { columns * rows * pixels.byteCount > Int(UInt32.max) - Self.margin - description.utf8.count }

  var rowBytes: Int { columns * pixels.byteCount }
  var stripRows: Int { min(rows, max(1, Self.stripBytes / rowBytes)) }

  /// Writes the image and leaves `descriptor` open.
  func write(
    _ values: UnsafeBufferPointer<Float>, scale: Float = 1, to descriptor: Int32, path: String
  ) throws(Failure) {
    let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard own >= 0 else { throw Failure(code: errno) }
    let message = UnsafeMutablePointer<ctiff_message>.allocate(capacity: 1)
    message.initialize(to: ctiff_message())
    defer { message.deallocate() }
    errno = 0
    guard let tiff = ctiff_open(own, path, isBig ? "w8" : "w", message) else {
      let failure = Self.failure(message)
      close(own)
      throw failure
    }
    // Nothing is left for TIFFClose to write: it could not say that it failed.
    defer { TIFFClose(tiff) }
    guard setTags(tiff), writeStrips(values, scale, tiff), TIFFWriteDirectory(tiff) == 1, TIFFFlush(tiff) == 1 else {
      throw Self.failure(message)
    }
  }

  private func setTags(_ tiff: OpaquePointer) -> Bool {
    let format = pixels == .float32 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT
    let shape = [
      ctiff_set_u32(tiff, UInt32(TIFFTAG_IMAGEWIDTH), UInt32(columns)),
      ctiff_set_u32(tiff, UInt32(TIFFTAG_IMAGELENGTH), UInt32(rows)),
      ctiff_set_u32(tiff, UInt32(TIFFTAG_ROWSPERSTRIP), UInt32(stripRows)),
      ctiff_set_u16(tiff, UInt32(TIFFTAG_SAMPLESPERPIXEL), 1),
      ctiff_set_u16(tiff, UInt32(TIFFTAG_BITSPERSAMPLE), UInt16(pixels.byteCount * 8)),
      ctiff_set_u16(tiff, UInt32(TIFFTAG_SAMPLEFORMAT), UInt16(format)),
      ctiff_set_u16(tiff, UInt32(TIFFTAG_PHOTOMETRIC), UInt16(PHOTOMETRIC_MINISBLACK)),
      ctiff_set_u16(tiff, UInt32(TIFFTAG_COMPRESSION), UInt16(COMPRESSION_NONE)),
      ctiff_set_u16(tiff, UInt32(TIFFTAG_PLANARCONFIG), UInt16(PLANARCONFIG_CONTIG)),
    ]
    let texts = [
      ctiff_set_text(tiff, UInt32(TIFFTAG_IMAGEDESCRIPTION), words),
      ctiff_set_text(tiff, UInt32(TIFFTAG_SOFTWARE), "Slipring \(programVersion)"),
    ]
    // Pixels a centimetre.
    let resolution = voxelSizeMillimetres.map { size in
      [
        ctiff_set_float(tiff, UInt32(TIFFTAG_XRESOLUTION), 10 / size),
        ctiff_set_float(tiff, UInt32(TIFFTAG_YRESOLUTION), 10 / size),
        ctiff_set_u16(tiff, UInt32(TIFFTAG_RESOLUTIONUNIT), UInt16(RESUNIT_CENTIMETER)),
      ]
    }
    return (shape + texts + (resolution ?? [])).allSatisfy { $0 == 1 }
  }

  /// The description. ImageJ reads lines of `name=value` in one that begins with its name (ij/io/FileOpener), and takes
  /// the resolution as pixels in `unit`: a centimetre, as for everybody else.
  private var words: String {
    let range = pixels.range.map { "; range: \($0.lowerBound) to \($0.upperBound)" } ?? ""
    let lines = voxelSizeMillimetres.map { "ImageJ=1.54f\nunit=cm\nspacing=\($0 / 10)\n" } ?? ""
    return lines + description + range
  }

  private func writeStrips(_ values: UnsafeBufferPointer<Float>, _ scale: Float, _ tiff: OpaquePointer) -> Bool {
    let strip = UnsafeMutableRawPointer.allocate(byteCount: stripRows * rowBytes, alignment: 64)
    defer { strip.deallocate() }
    for (index, top) in stride(from: 0, to: rows, by: stripRows).enumerated() {
      let bottom = min(top + stripRows, rows)
      pixels.convert(values[top * columns..<bottom * columns], scale: scale, into: strip)
      let byteCount = (bottom - top) * rowBytes
      guard TIFFWriteEncodedStrip(tiff, UInt32(index), strip, tmsize_t(byteCount)) == byteCount else { return false }
    }
    return true
  }

  private static func failure(_ message: UnsafeMutablePointer<ctiff_message>) -> Failure {
    // libtiff's messages do not give the system's reason, but nothing of it runs between the failed write and here that
    // sets another.
    if errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO { return Failure(code: errno) }
    let text = withUnsafeBytes(of: &message.pointee) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return Failure(reason: "libtiff: \(text.isEmpty ? "no reason given" : text)")
  }
}
