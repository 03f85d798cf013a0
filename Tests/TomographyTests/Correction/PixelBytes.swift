import Host
import Tomography

/// Numbers stored as pixels of a type, in this machine's byte order.
func pixelBytes(_ values: [Double], as type: PixelType) -> [UInt8] {
  var bytes: [UInt8] = []
  for value in values {
    switch type {
    case .uint8: bytes.append(UInt8(value))
    case .uint16: withUnsafeBytes(of: UInt16(value)) { bytes += $0 }
    case .uint32: withUnsafeBytes(of: UInt32(value)) { bytes += $0 }
    case .float32: withUnsafeBytes(of: Float(value)) { bytes += $0 }
    }
  }
  return bytes
}

/// Averages of the given fields.
func accumulate(rows: Int, columns: Int, flats: [[Double]], darks: [[Double]], type: PixelType = .float32)
  -> FlatDarkAccumulator
{
  var accumulator = FlatDarkAccumulator(rows: rows, columns: columns)
  for flat in flats { pixelBytes(flat, as: type).withUnsafeBytes { accumulator.add(flat: $0, type: type) } }
  for dark in darks { pixelBytes(dark, as: type).withUnsafeBytes { accumulator.add(dark: $0, type: type) } }
  return accumulator
}

/// The corrected projection and how many pixels were replaced.
func correct(_ counts: [Double], with correction: Correction, type: PixelType = .float32) -> ([Float], CorrectionCounts)
{
  var output = [Float](repeating: -1, count: counts.count)
  // A leading byte makes every pixel misaligned.
  let replaced = ([0] + pixelBytes(counts, as: type)).withUnsafeBytes { bytes in
    output.withUnsafeMutableBufferPointer {
      correction.apply(bytes.baseAddress! + 1, type: type, into: $0.baseAddress!)
    }
  }
  return (output, replaced)
}
