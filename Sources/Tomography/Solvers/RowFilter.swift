internal import CFFTW
import Glibc
import Synchronization

/// Ramp-filters detector rows by FFT, two angles of a slice at a time as real and imaginary part.
///
/// The ramp is made in space, h(0) = 1/4, h(k) = −1 / (πk)² for odd k and 0 for even k, so that its mean is right (A. C. Kak and M. Slaney,
/// Principles of Computerized Tomographic Imaging, 1988, section 3.3). Rows are padded with zeros to at least twice their length. One plan,
/// made without measurements, transforms each row by itself, so the bits depend on neither lanes nor neighbours.
final class RowFilter: @unchecked Sendable {
  /// Lanes that are filtered together.
  static let lanes = 4
  let length: Int
  private let columns: Int
  private let response: [Float]
  private let forward: OpaquePointer
  private let backward: OpaquePointer
  private let memory: ScratchMemory

  /// FFTW's planner is not re-entrant; executing a plan is.
  private static let planner = Mutex(())

  /// Has buffers for `workers` threads.
  init(columns: Int, filter: FBPOptions.Filter, workers: Int) {
    self.columns = columns
    length = RowFilter.length(columns: columns)
    response = RowFilter.response(length: length, filter: filter)
    memory = ScratchMemory(byteCount: RowFilter.byteCount(columns: columns, workers: workers))
    // Sound: the planner is called under its lock, and nothing else uses the buffer or the plans yet.
    nonisolated(unsafe) let buffer = memory.start.assumingMemoryBound(to: fftwf_complex.self)
    nonisolated(unsafe) var plans: (OpaquePointer?, OpaquePointer?)
    let count = Int32(length)
    RowFilter.planner.withLock { _ in
      plans.0 = fftwf_plan_dft_1d(count, buffer, buffer, FFTW_FORWARD, UInt32(FFTW_ESTIMATE))
      plans.1 = fftwf_plan_dft_1d(count, buffer, buffer, FFTW_BACKWARD, UInt32(FFTW_ESTIMATE))
    }
    guard let forward = plans.0, let backward = plans.1 else { fatalError("FFTW makes no plan for \(length) points") }
    (self.forward, self.backward) = (forward, backward)
  }

  deinit {
    nonisolated(unsafe) let (forward, backward) = (self.forward, self.backward)
    RowFilter.planner.withLock { _ in
      fftwf_destroy_plan(forward)
      fftwf_destroy_plan(backward)
    }
  }

  /// Bytes of the buffers.
  static func byteCount(columns: Int, workers: Int) -> Int { workers * lanes * 2 * length(columns: columns) * MemoryLayout<Float>.stride }

  /// The smallest even length of factors 2, 3, 5 and 7 that has room for the row and its response.
  static func length(columns: Int) -> Int {
    var length = 2 * columns
    while !isFast(length) { length += 2 }
    return length
  }

  private static func isFast(_ length: Int) -> Bool {
    var rest = length
    for factor in [2, 3, 5, 7] { while rest % factor == 0 { rest /= factor } }
    // A multiple of 8 complex numbers, so that every buffer starts at a multiple of 64 bytes.
    return rest == 1 && length % 8 == 0
  }

  /// The window times the ramp's transform, divided by the length because FFTW does not.
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

  /// Filters `lanes` lanes of two rows (of `pitch` bytes a bin), and multiplies them by their weights. Without a second row, zeros stand in.
  func apply(
    _ first: UnsafeRawPointer, _ second: UnsafeRawPointer?, pitch: Int, into targets: (UnsafeMutableRawPointer, UnsafeMutableRawPointer?),
    weights: (Float, Float), worker: Int
  ) {
    let rowFloats = 2 * length, rows = memory.start.assumingMemoryBound(to: Float.self) + worker * RowFilter.lanes * rowFloats
    for bin in 0..<columns {
      let a = (first + bin * pitch).loadUnaligned(as: SIMD4<Float>.self)
      let b = second.map { ($0 + bin * pitch).loadUnaligned(as: SIMD4<Float>.self) } ?? SIMD4()
      for lane in 0..<RowFilter.lanes {
        rows[lane * rowFloats + 2 * bin] = a[lane]
        rows[lane * rowFloats + 2 * bin + 1] = b[lane]
      }
    }
    for lane in 0..<RowFilter.lanes { convolve(rows + lane * rowFloats) }
    for bin in 0..<columns {
      var a = SIMD4<Float>(), b = SIMD4<Float>()
      for lane in 0..<RowFilter.lanes {
        a[lane] = rows[lane * rowFloats + 2 * bin]
        b[lane] = rows[lane * rowFloats + 2 * bin + 1]
      }
      (targets.0 + bin * pitch).storeBytes(of: a * weights.0, as: SIMD4<Float>.self)
      if let target = targets.1 { (target + bin * pitch).storeBytes(of: b * weights.1, as: SIMD4<Float>.self) }
    }
  }

  private func convolve(_ row: UnsafeMutablePointer<Float>) {
    (row + 2 * columns).update(repeating: 0, count: 2 * (length - columns))
    // Sound: a buffer holds `length` complex numbers at the alignment of the planned one.
    let complex = UnsafeMutableRawPointer(row).assumingMemoryBound(to: fftwf_complex.self)
    fftwf_execute_dft(forward, complex, complex)
    response.withUnsafeBufferPointer { response in
      let factors = response.baseAddress!
      for index in 0..<length {
        row[2 * index] *= factors[index]
        row[2 * index + 1] *= factors[index]
      }
    }
    fftwf_execute_dft(backward, complex, complex)
  }
}
