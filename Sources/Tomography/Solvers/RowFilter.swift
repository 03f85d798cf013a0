internal import CKissFFT
import Glibc

/// Ramp-filters detector rows by FFT, two angles of a slice at a time as real and imaginary part.
///
/// The ramp is made in space, h(0) = 1/4, h(k) = −1 / (πk)² for odd k and 0 for even k, so that its mean is right (A.
/// C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging, 1988, section 3.3). Rows are padded with zeros
/// to at least twice their length. Each bin is multiplied by its `overlapWeights` before. Each row is transformed by
/// itself, so the bits depend on neither lanes nor neighbours.
final class RowFilter: @unchecked Sendable {
  /// Lanes that are filtered together: as many as the narrowest pixels have.
  static let lanes = 2
  let length: Int
  private let columns: Int
  private let response: [Float]
  private let binWeights: [Float]
  private let forward: OpaquePointer
  private let backward: OpaquePointer
  private let memory: ScratchMemory

  /// Of rows with a bin for each of `binWeights`; has buffers for `workers` threads.
  init(binWeights: [Float], filter: FBPOptions.Filter, workers: Int) {
    self.binWeights = binWeights
    columns = binWeights.count
    length = RowFilter.length(columns: columns)
    response = RowFilter.response(length: length, filter: filter)
    memory = ScratchMemory(byteCount: RowFilter.byteCount(columns: columns, workers: workers))
    let count = Int32(length)
    guard let forward = kiss_fft_alloc(count, 0, nil, nil), let backward = kiss_fft_alloc(count, 1, nil, nil) else {
      fatalError("no memory for a transform of \(length) points")
    }
    (self.forward, self.backward) = (forward, backward)
  }

  deinit {
    free(UnsafeMutableRawPointer(forward))
    free(UnsafeMutableRawPointer(backward))
  }

  /// Bytes of the buffers: for each worker the lanes' rows and a spectrum.
  static func byteCount(columns: Int, workers: Int) -> Int {
    workers * (lanes + 1) * 2 * length(columns: columns) * MemoryLayout<Float>.stride
  }

  /// The smallest length of factors 2, 3 and 5 that has room for the row and its response; a multiple of 4, so that the
  /// ramp's value at half the length is one of those that are zero.
  static func length(columns: Int) -> Int {
    var length = (2 * columns + 3) & ~3
    while !isFast(length) { length += 4 }
    return length
  }

  private static func isFast(_ length: Int) -> Bool {
    var rest = length
    for factor in [2, 3, 5] { while rest % factor == 0 { rest /= factor } }
    return rest == 1
  }

  /// The window times the ramp's transform, divided by the length because KissFFT does not.
  private static func response(length: Int, filter: FBPOptions.Filter) -> [Float] {
    let cosines = (0..<length).map { cos(2 * .pi * Double($0) / Double(length)) }
    return (0..<length).map { index in
      let frequency = min(index, length - index)
      var ramp = 0.25
      for distance in stride(from: 1, to: length / 2, by: 2) {
        ramp -= 2 * cosines[frequency * distance % length] / (.pi * .pi * Double(distance * distance))
      }
      return Float(ramp * filter.window(Double(frequency) / Double(length / 2)) / Double(length))
    }
  }

  /// Filters `lanes` lanes of two rows (of `pitch` bytes a bin), and multiplies them by their weights. Without a second
  /// row, zeros stand in.
  func apply(
    _ first: UnsafeRawPointer, _ second: UnsafeRawPointer?, pitch: Int,
    into targets: (UnsafeMutableRawPointer, UnsafeMutableRawPointer?),
    weights: (Float, Float), worker: Int
  ) {
    let rowFloats = 2 * length
    let rows = memory.start.assumingMemoryBound(to: Float.self) + worker * (RowFilter.lanes + 1) * rowFloats
    for bin in 0..<columns {
      let a = (first + bin * pitch).loadUnaligned(as: SIMD2<Float>.self)
      let b = second.map { ($0 + bin * pitch).loadUnaligned(as: SIMD2<Float>.self) } ?? SIMD2()
      let weight = binWeights[bin]
      for lane in 0..<RowFilter.lanes {
        rows[lane * rowFloats + 2 * bin] = weight * a[lane]
        rows[lane * rowFloats + 2 * bin + 1] = weight * b[lane]
      }
    }
    for lane in 0..<RowFilter.lanes { convolve(rows + lane * rowFloats, spectrum: rows + RowFilter.lanes * rowFloats) }
    for bin in 0..<columns {
      var a = SIMD2<Float>(), b = SIMD2<Float>()
      for lane in 0..<RowFilter.lanes {
        a[lane] = rows[lane * rowFloats + 2 * bin]
        b[lane] = rows[lane * rowFloats + 2 * bin + 1]
      }
      (targets.0 + bin * pitch).storeBytes(of: a * weights.0, as: SIMD2<Float>.self)
      if let target = targets.1 { (target + bin * pitch).storeBytes(of: b * weights.1, as: SIMD2<Float>.self) }
    }
  }

  private func convolve(_ row: UnsafeMutablePointer<Float>, spectrum: UnsafeMutablePointer<Float>) {
    (row + 2 * columns).update(repeating: 0, count: 2 * (length - columns))
    // Sound: both buffers hold `length` complex numbers, which are pairs of floats.
    let points = UnsafeMutableRawPointer(row).assumingMemoryBound(to: kiss_fft_cpx.self)
    let frequencies = UnsafeMutableRawPointer(spectrum).assumingMemoryBound(to: kiss_fft_cpx.self)
    kiss_fft(forward, points, frequencies)
    response.withUnsafeBufferPointer { response in
      let factors = response.baseAddress!
      for index in 0..<length {
        spectrum[2 * index] *= factors[index]
        spectrum[2 * index + 1] *= factors[index]
      }
    }
    kiss_fft(backward, frequencies, points)
  }
}
