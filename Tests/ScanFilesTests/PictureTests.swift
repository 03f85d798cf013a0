import CPNG
import CTIFF
import Glibc
import Host
import ScanFiles
import TestSupport
import Testing

@Suite struct PictureTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// What libtiff reads from a file of one grey image.
  private struct ReadTIFF {
    var columns: UInt32 = 0
    var rows: UInt32 = 0
    var bits: UInt16 = 0
    var format: UInt16 = 0
    var photometric: UInt16 = 0
    var description = ""
    var isBig = false
    var bytes: [UInt8] = []

    init(_ path: String) throws {
      var message = ctiff_message()
      let tiff = try #require(ctiff_open(open(path, O_RDONLY), path, "r", &message))
      defer { TIFFClose(tiff) }
      #expect(ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGEWIDTH), &columns) == 1)
      #expect(ctiff_get_u32(tiff, UInt32(TIFFTAG_IMAGELENGTH), &rows) == 1)
      #expect(ctiff_get_u16(tiff, UInt32(TIFFTAG_BITSPERSAMPLE), &bits) == 1)
      #expect(ctiff_get_u16(tiff, UInt32(TIFFTAG_SAMPLEFORMAT), &format) == 1)
      #expect(ctiff_get_u16(tiff, UInt32(TIFFTAG_PHOTOMETRIC), &photometric) == 1)
      description = String(cString: try #require(ctiff_get_text(tiff, UInt32(TIFFTAG_IMAGEDESCRIPTION))))
      isBig = TIFFIsBigTIFF(tiff) != 0
      var strip = [UInt8](repeating: 0, count: Int(TIFFStripSize(tiff)))
      for index in 0..<TIFFNumberOfStrips(tiff) {
        let count = TIFFReadEncodedStrip(tiff, index, &strip, -1)
        bytes += strip.prefix(max(0, Int(count)))
      }
      #expect(TIFFReadDirectory(tiff) == 0, "there is one image")
    }
  }

  private func write(_ values: [Float], columns: Int, _ pixels: TIFFPixels) throws -> ReadTIFF {
    let path = folder.file("recon_00000.tiff")
    try values.withUnsafeBufferPointer {
      try writeTIFF(
        path: path, columns: columns, rows: values.count / columns, values: $0, pixels: pixels, description: "slice 0")
    }
    #expect(try folder.names() == ["recon_00000.tiff"])
    return try ReadTIFF(path)
  }

  @Test(arguments: [(1, 1), (7, 3), (640, 641), (1, 5000), (300_000, 2)]) func `floats are kept bit for bit`(
    columns: Int, rows: Int
  ) throws {
    let seed = UInt64(columns)
    var random = SplitMix64(seed: seed)
    let values = (0..<columns * rows).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
    let read = try write(values, columns: columns, .float32)
    #expect(Int(read.columns) == columns && Int(read.rows) == rows && read.bits == 32)
    #expect(Int32(read.format) == SAMPLEFORMAT_IEEEFP && Int32(read.photometric) == PHOTOMETRIC_MINISBLACK)
    #expect(read.description == "slice 0")
    #expect(!read.isBig)
    #expect(values.withUnsafeBytes { read.bytes.elementsEqual($0) }, "seed \(seed)")
  }

  @Test func `integers span the stated range, clamp, and turn NaN to black`() throws {
    let values: [Float] = [-1, 0, 0.5, 1, 1.5, 2, 3, .nan, .infinity, -.infinity]
    let word = try write(values, columns: 5, .uint16(range: 0...2))
    let codes = word.bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    #expect(codes == [0, 0, 16384, 32768, 49151, 65535, 65535, 0, 65535, 0])
    #expect(word.description == "slice 0; range: 0.0 to 2.0")
    let byte = try write(values, columns: 5, .uint8(range: 0...2))
    #expect(byte.bytes == [0, 0, 64, 128, 191, 255, 255, 0, 255, 0])
    #expect(Int32(byte.format) == SAMPLEFORMAT_UINT && byte.bits == 8)
  }

  @Test func `the size of a voxel is in the tags and in words for ImageJ`() throws {
    let path = folder.file("recon_00000.tiff")
    try [Float](repeating: 1, count: 4).withUnsafeBufferPointer {
      try writeTIFF(
        path: path, columns: 2, rows: 2, values: $0, description: "slice 0", voxelSizeMillimetres: 0.00325)
    }
    var message = ctiff_message()
    let tiff = try #require(ctiff_open(open(path, O_RDONLY), path, "r", &message))
    defer { TIFFClose(tiff) }
    var (x, y, unit): (Float, Float, UInt16) = (0, 0, 0)
    #expect(ctiff_get_float(tiff, UInt32(TIFFTAG_XRESOLUTION), &x) == 1)
    #expect(ctiff_get_float(tiff, UInt32(TIFFTAG_YRESOLUTION), &y) == 1)
    #expect(ctiff_get_u16(tiff, UInt32(TIFFTAG_RESOLUTIONUNIT), &unit) == 1)
    #expect(abs(x - 3076.923) < 0.001 && y == x && Int32(unit) == RESUNIT_CENTIMETER)
    let text = try #require(ctiff_get_text(tiff, UInt32(TIFFTAG_IMAGEDESCRIPTION)))
    #expect(String(cString: text) == "ImageJ=1.54f\nunit=cm\nspacing=0.000325\nslice 0")
    #expect(
      String(cString: try #require(ctiff_get_text(tiff, UInt32(TIFFTAG_SOFTWARE)))) == "Slipring \(programVersion)")
  }

  @Test func `images above 4 GB are BigTIFF`() {
    func isBig(_ columns: Int, _ pixels: TIFFPixels) -> Bool {
      TIFFImage(columns: columns, rows: columns, pixels: pixels, description: "").isBig
    }
    #expect(!isBig(32_000, .float32))
    #expect(isBig(32_768, .float32))
    #expect(!isBig(32_768, .uint16(range: 0...1)))
    #expect(isBig(65_536, .uint8(range: 0...1)))
  }

  @Test func `a grey PNG is read back by libpng`() throws {
    var random = SplitMix64(seed: 4)
    let pixels = (0..<13 * 9).map { _ in UInt8.random(in: 0...255, using: &random) }
    let bytes = try encodePNG(name: "picture", columns: 13, rows: 9, grey: pixels)
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    #expect(png_image_begin_read_from_memory(&image, bytes, bytes.count) != 0)
    #expect(image.width == 13 && image.height == 9)
    #expect(image.format == cpng_format_grey())
    var read = [UInt8](repeating: 0, count: pixels.count)
    #expect(png_image_finish_read(&image, nil, &read, 0, nil) != 0)  // Checks every chunk's CRC.
    #expect(image.warning_or_error == 0)
    #expect(read == pixels)
  }
}
