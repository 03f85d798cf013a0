import Foundation
import Host
import ScanFiles
import TestSupport
import Testing

/// Output that is read back before what it was made of is deleted.
@Suite struct OutputCheckTests {
  private let columns = 83
  private let rows = 83

  private var values: [Float] { (0..<columns * rows).map { Float($0 % 101) / 7 - 3 } }

  @Test(arguments: [TIFFPixels.float32, .uint16(range: -3...12), .uint8(range: -3...12)])
  func `a TIFF is what was written until a byte of its samples changes`(pixels: TIFFPixels) throws {
    let folder = try TestFolder()
    let path = folder.file("slice.tiff")
    try values.withUnsafeBufferPointer { values in
      try writeTIFF(path: path, columns: columns, rows: rows, values: values, pixels: pixels, description: "a slice")
      try checkTIFF(path: path, columns: columns, rows: rows, values: values, pixels: pixels)
      #expect(throws: FileError.self) {
        try checkTIFF(path: path, columns: rows * columns, rows: 1, values: values, pixels: pixels)
      }
      let whole = try #require(FileManager.default.contents(atPath: path))
      for offset in [8, 500, 1000] {
        var damaged = whole
        damaged[offset] ^= 1
        try damaged.write(to: URL(filePath: path))
        #expect(throws: FileError.self, "byte \(offset)") {
          try checkTIFF(path: path, columns: columns, rows: rows, values: values, pixels: pixels)
        }
      }
      try whole.prefix(whole.count / 2).write(to: URL(filePath: path))
      #expect(throws: FileError.self) {
        try checkTIFF(path: path, columns: columns, rows: rows, values: values, pixels: pixels)
      }
    }
  }

  @Test func `a volume is what was written until a bit of a slice changes`() throws {
    let folder = try TestFolder()
    let path = folder.file("volume.h5")
    let writer = try VolumeHDF5Writer(path: path, slices: 2, columns: columns)
    try values.withUnsafeBufferPointer { values in
      for z in 0..<2 { try writer.write(slice: values, at: z) }
      try writer.finish()
      for z in 0..<2 { try VolumeReader(uncached: path).check(z, values) }
    }
    var other = values
    other[columns * rows - 1] = other[columns * rows - 1].nextUp
    #expect(throws: FileError.self) {
      try other.withUnsafeBufferPointer { try VolumeReader(uncached: path).check(1, $0) }
    }
    #expect(throws: FileError.self) { try VolumeReader(uncached: folder.file("gone.h5")) }
  }
}
