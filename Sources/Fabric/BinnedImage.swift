internal import Host

/// An image of which squares of pixels are one: their mean, of whole counts rounded. At the right and at the bottom
/// squares may be cut.
struct BinnedImage {
  /// Rows and columns that it has.
  let rows: Int
  let columns: Int
  /// Pixels in each direction that became one.
  let binning: Int
  /// Its pixels, of the type that they had.
  let pixels: [UInt8]

  /// Bins two, or as many more times two as are needed for at most `byteCountMax` bytes; nil where the largest squares
  /// would not do.
  init?(
    _ image: UnsafeRawBufferPointer, rows: Int, columns: Int, pixel: PixelType, byteCountMax: Int
  ) {
    precondition(rows > 0 && columns > 0 && image.count == rows * columns * pixel.byteCount, "\(image.count) B")
    var binning = 2
    func size() -> (rows: Int, columns: Int) {
      ((rows + binning - 1) / binning, (columns + binning - 1) / binning)
    }
    while size().rows * size().columns * pixel.byteCount > byteCountMax {
      binning *= 2
      guard binning <= PreviewMessage.binningMax else { return nil }
    }
    (self.rows, self.columns, self.binning) = (size().rows, size().columns, binning)
    let shape = (rows, columns)
    let shift = binning.trailingZeroBitCount
    pixels =
      switch pixel {
      case .uint8:
        Self.bin(image.assumingMemoryBound(to: UInt8.self), shape, shift, Double.init) { UInt8($0.rounded()) }
      case .uint16:
        Self.bin(image.assumingMemoryBound(to: UInt16.self), shape, shift, Double.init) { UInt16($0.rounded()) }
      case .uint32:
        Self.bin(image.assumingMemoryBound(to: UInt32.self), shape, shift, Double.init) { UInt32($0.rounded()) }
      case .float32: Self.bin(image.assumingMemoryBound(to: Float.self), shape, shift, Double.init) { Float($0) }
      }
  }

  /// The means of squares of 2^`shift` pixels each way. Sums of so many counts are exact.
  private static func bin<Pixel>(
    _ image: UnsafeBufferPointer<Pixel>, _ shape: (rows: Int, columns: Int), _ shift: Int, _ value: (Pixel) -> Double,
    _ pixel: (Double) -> Pixel
  ) -> [UInt8] {
    let binning = 1 << shift
    let rows = (shape.rows + binning - 1) >> shift, columns = (shape.columns + binning - 1) >> shift
    let byteCount = rows * columns * MemoryLayout<Pixel>.stride
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      let target = UnsafeMutableRawBufferPointer(buffer)
      var sums = [Double](repeating: 0, count: columns)
      for row in 0..<rows {
        let source = row << shift..<min((row + 1) << shift, shape.rows)
        for column in sums.indices { sums[column] = 0 }
        for line in source {
          for column in 0..<shape.columns { sums[column >> shift] += value(image[line * shape.columns + column]) }
        }
        for column in 0..<columns {
          let width = min((column + 1) << shift, shape.columns) - column << shift
          let mean = pixel(sums[column] / Double(source.count * width))
          target.storeBytes(
            of: mean, toByteOffset: (row * columns + column) * MemoryLayout<Pixel>.stride, as: Pixel.self)
        }
      }
      count = byteCount
    }
  }
}
