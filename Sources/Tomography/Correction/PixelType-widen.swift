import Host

extension PixelType {
  /// Widens `count` native-endian pixels, at any alignment, to `Float`. The two ranges of memory must not overlap.
  func widen(_ pixels: UnsafeRawPointer, count: Int, into output: UnsafeMutablePointer<Float>) {
    switch self {
    case .uint8: widenEach(pixels, as: UInt8.self, count, output) { Float($0) }
    case .uint16: widenEach(pixels, as: UInt16.self, count, output) { Float($0) }
    case .uint32: widenEach(pixels, as: UInt32.self, count, output) { Float($0) }
    case .float32: widenEach(pixels, as: Float.self, count, output) { $0 }
    }
  }
}

/// The loop behind `PixelType.widen`, in its file so that it is specialised, and vectorised, for each type.
@inline(__always)
private func widenEach<Pixel: BitwiseCopyable>(
  _ pixels: UnsafeRawPointer, as type: Pixel.Type, _ count: Int, _ output: UnsafeMutablePointer<Float>,
  _ float: (Pixel) -> Float
) {
  var index = 0
  while index < count {
    output[index] = float(pixels.loadUnaligned(fromByteOffset: index &* MemoryLayout<Pixel>.size, as: Pixel.self))
    index &+= 1
  }
}
