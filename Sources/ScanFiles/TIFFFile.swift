internal import CTIFF
internal import Glibc
import Host

/// An open TIFF file, whose grey images are read one at a time.
final class TIFFFile {
  /// How the samples of an image are stored.
  enum Sample: Equatable {
    case uint8, uint16, uint32, int8, int16, int32, float32, float64

    var byteCount: Int {
      switch self {
      case .uint8, .int8: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .float64: 8
      }
    }

    /// The type in which they are delivered.
    var pixel: PixelType {
      switch self {
      case .uint8: .uint8
      case .uint16: .uint16
      case .uint32: .uint32
      default: .float32
      }
    }
  }

  /// An image of the file.
  struct Page {
    let rows: Int
    let columns: Int
    let sample: Sample
    /// The shape of its tiles; nil where it is in strips.
    let tile: (rows: Int, columns: Int)?
    /// Where its directory is in the file.
    fileprivate let directory: UInt64
    /// Where its pixels are, of a stack that has one directory for all images (ImageJ, above 4 GB); else nil.
    fileprivate let raw: UInt64?
  }

  let tiff: OpaquePointer
  private let message: UnsafeMutablePointer<ctiff_message>
  private let byteCount: UInt64
  /// A strip or a tile before its rows are taken.
  var strip: [UInt8] = []

  private static let pagesMax = 1_000_000
  private static let edgeMax = 1 << 20
  static let stripBytesMax = 1 << 30

  /// Opens the file. One that is no TIFF is `.incomplete`: somebody may still be writing it.
  init(_ path: String) throws(TIFFFault) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .unreadable(errnoText(errno)) }
    guard isRegularFile(descriptor) else {
      close(descriptor)
      throw .unreadable("it is not a file")
    }
    let length = lseek(descriptor, 0, SEEK_END)
    guard length > 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
      close(descriptor)
      throw .incomplete
    }
    byteCount = UInt64(length)
    message = .allocate(capacity: 1)
    message.initialize(to: ctiff_message())
    // Without memory mapping: whoever cuts the file meanwhile must not end this process.
    guard let tiff = ctiff_open(descriptor, path, "rm", message) else {
      close(descriptor)
      message.deallocate()
      throw .incomplete
    }
    self.tiff = tiff
  }

  deinit {
    TIFFClose(tiff)
    message.deallocate()
  }

  /// Its images in their order, without reduced copies; all of their pixels are in the file.
  func pages() throws(TIFFFault) -> [Page] {
    var pages: [Page] = []
    guard TIFFSetDirectory(tiff, 0) == 1 else { throw .incomplete }
    repeat {
      guard pages.count < Self.pagesMax else { throw .layout }
      var kind: UInt32 = 0
      _ = ctiff_get_u32(tiff, UInt32(TIFFTAG_SUBFILETYPE), &kind)
      if kind & UInt32(FILETYPE_REDUCEDIMAGE) == 0 { pages.append(try page()) }
    } while TIFFReadDirectory(tiff) == 1
    // The last one is followed by none; a directory that is cut off is an error of the library.
    guard message.pointee.text.0 == 0 else { throw .incomplete }
    guard let first = pages.first else { throw .layout }
    return pages.count == 1 ? try stack(of: first) : pages
  }

  /// The image of the present directory.
  private func page() throws(TIFFFault) -> Page {
    var (width, length): (UInt32, UInt32) = (0, 0)
    guard ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGEWIDTH), &width) == 1,
      ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGELENGTH), &length) == 1
    else { throw .incomplete }
    guard (1...Self.edgeMax).contains(Int(width)), (1...Self.edgeMax).contains(Int(length)) else { throw .shape }
    let sample = try sample()
    let tile = try tileShape(sample)
    for strip in 0..<(tile == nil ? TIFFNumberOfStrips(tiff) : TIFFNumberOfTiles(tiff)) {
      let (end, overflow) = TIFFGetStrileOffset(tiff, strip).addingReportingOverflow(
        TIFFGetStrileByteCount(tiff, strip))
      guard !overflow, end > 0, end <= byteCount else { throw .incomplete }
    }
    return Page(
      rows: Int(length), columns: Int(width), sample: sample, tile: tile, directory: TIFFCurrentDirOffset(tiff),
      raw: nil)
  }

  private func sample() throws(TIFFFault) -> Sample {
    // What the tags are where a file does not have them.
    var (bits, samples, format): (UInt16, UInt16, UInt16) = (1, 1, UInt16(SAMPLEFORMAT_UINT))
    _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_BITSPERSAMPLE), &bits)
    _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_SAMPLESPERPIXEL), &samples)
    _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_SAMPLEFORMAT), &format)
    guard samples == 1 else { throw .pixel }
    switch (Int32(format), bits) {
    case (Int32(SAMPLEFORMAT_UINT), 8), (Int32(SAMPLEFORMAT_VOID), 8): return .uint8
    case (Int32(SAMPLEFORMAT_UINT), 16), (Int32(SAMPLEFORMAT_VOID), 16): return .uint16
    case (Int32(SAMPLEFORMAT_UINT), 32), (Int32(SAMPLEFORMAT_VOID), 32): return .uint32
    case (Int32(SAMPLEFORMAT_INT), 8): return .int8
    case (Int32(SAMPLEFORMAT_INT), 16): return .int16
    case (Int32(SAMPLEFORMAT_INT), 32): return .int32
    case (Int32(SAMPLEFORMAT_IEEEFP), 32): return .float32
    case (Int32(SAMPLEFORMAT_IEEEFP), 64): return .float64
    default: throw .pixel
    }
  }

  /// The images of a file with one directory, which ImageJ writes for all images of a large stack: they lie one after
  /// the other, uncompressed.
  private func stack(of page: Page) throws(TIFFFault) -> [Page] {
    guard TIFFSetSubDirectory(tiff, page.directory) == 1 else { throw .incomplete }
    let text = ctiff_get_text(tiff, UInt32(TIFFTAG_IMAGEDESCRIPTION)).map { String(cString: $0) } ?? ""
    guard text.hasPrefix("ImageJ="),
      let line = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("images=") }),
      let count = Int(line.dropFirst("images=".count)), count > 1
    else { return [page] }
    var compression = UInt16(COMPRESSION_NONE)
    _ = ctiff_get_u16(tiff, UInt32(TIFFTAG_COMPRESSION), &compression)
    guard Int32(compression) == Int32(COMPRESSION_NONE), page.tile == nil, count <= Self.pagesMax else {
      throw .layout
    }
    let (start, size) = (TIFFGetStrileOffset(tiff, 0), UInt64(page.rows * page.columns * page.sample.byteCount))
    let (end, overflow) = size.multipliedReportingOverflow(by: UInt64(count))
    guard !overflow, start <= byteCount, end <= byteCount - start else { throw .incomplete }
    return (0..<UInt64(count)).map {
      Page(
        rows: page.rows, columns: page.columns, sample: page.sample, tile: nil, directory: page.directory,
        raw: start + $0 * size)
    }
  }

  /// Reads rows of an image, as pixels of this machine in the type of `page.sample.pixel`.
  func read(_ page: Page, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer) throws(TIFFFault) {
    precondition(
      target.count == rows.count * page.columns * page.sample.pixel.byteCount, "room for \(target.count) B")
    guard !rows.isEmpty else { return }
    guard TIFFSetSubDirectory(tiff, page.directory) == 1 else { throw .incomplete }
    if let tile = page.tile {
      // Whoever puts another file in its place may have written other tiles.
      guard let now = try tileShape(page.sample), now == tile else { throw .incomplete }
      return try readTiles(page, tile, rows: rows, into: target)
    }
    guard page.raw != nil || TIFFIsTiled(tiff) == 0 else { throw .incomplete }
    let rowBytes = page.columns * page.sample.byteCount
    var stripRows = UInt32.max
    _ = ctiff_get_u32(tiff, UInt32(TIFFTAG_ROWSPERSTRIP), &stripRows)
    let height = page.raw == nil ? min(page.rows, Int(stripRows)) : page.rows
    guard height > 0, height * rowBytes <= Self.stripBytesMax else { throw .layout }
    if strip.count < height * rowBytes { strip = [UInt8](repeating: 0, count: height * rowBytes) }
    for number in rows.lowerBound / height...(rows.upperBound - 1) / height {
      let (top, bottom) = (number * height, min(page.rows, (number + 1) * height))
      try readStrip(page, number, byteCount: (bottom - top) * rowBytes)
      let wanted = max(top, rows.lowerBound)..<min(bottom, rows.upperBound)
      strip.withUnsafeBytes { strip in
        let first = (wanted.lowerBound - rows.lowerBound) * page.columns
        convert(
          UnsafeRawBufferPointer(
            rebasing: strip[(wanted.lowerBound - top) * rowBytes..<(wanted.upperBound - top) * rowBytes]),
          page.sample, into: target, at: first)
      }
    }
  }

  private func readStrip(_ page: Page, _ number: Int, byteCount: Int) throws(TIFFFault) {
    guard let raw = page.raw else {
      let read = strip.withUnsafeMutableBytes {
        TIFFReadEncodedStrip(tiff, UInt32(number), $0.baseAddress, tmsize_t(byteCount))
      }
      guard read == byteCount else { throw .incomplete }
      return
    }
    let read = strip.withUnsafeMutableBytes {
      pread(TIFFFileno(tiff), $0.baseAddress, byteCount, off_t(raw))
    }
    guard read == byteCount else { throw .incomplete }
    guard TIFFIsByteSwapped(tiff) != 0, page.sample.byteCount > 1 else { return }
    strip.withUnsafeMutableBytes { bytes in
      let width = page.sample.byteCount
      for start in stride(from: 0, to: byteCount, by: width) {
        for offset in 0..<width / 2 { bytes.swapAt(start + offset, start + width - 1 - offset) }
      }
    }
  }

  /// Converts samples to pixels, from pixel `first` of the target on.
  func convert(
    _ source: UnsafeRawBufferPointer, _ sample: Sample, into target: UnsafeMutableRawBufferPointer, at first: Int
  ) {
    func floats<Value>(_ type: Value.Type, _ float: (Value) -> Float) {
      for index in 0..<source.count / MemoryLayout<Value>.stride {
        let value = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Value>.stride, as: type)
        target.storeBytes(of: float(value), toByteOffset: 4 * (first + index), as: Float.self)
      }
    }
    switch sample {
    case .uint8, .uint16, .uint32, .float32:
      UnsafeMutableRawBufferPointer(rebasing: target[(first * sample.byteCount)...]).copyMemory(from: source)
    case .int8: floats(Int8.self) { Float($0) }
    case .int16: floats(Int16.self) { Float($0) }
    case .int32: floats(Int32.self) { Float($0) }
    case .float64: floats(Double.self) { Float($0) }
    }
  }
}
