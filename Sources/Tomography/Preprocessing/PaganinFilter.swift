internal import CKissFFT
import Glibc

/// Retrieves the projected thickness of a sample of one material from one projection, taken at a distance at which its
/// edges show fringes.
///
/// D. Paganin, S. C. Mayo, T. E. Gureyev, P. R. Miller and S. W. Wilkins, J. Microsc. 206 (2002) 33–40: with
/// transmission I / I₀, attenuation coefficient μ and thickness T,
///
///     exp(−μ T) = F⁻¹ { F { I / I₀ } / (1 + z δ/μ |k|²) },
///
/// so that −log of what this filter gives is the line integral μ T. The projection is continued on all sides by its
/// edge pixels.
///
/// Rows are transformed in pairs, as real and imaginary part; columns for half of the spectrum, because the other half
/// is its conjugate. All on one whole projection, so its bits depend on nothing else.
package final class PaganinFilter: @unchecked Sendable {
  private let rows: Int
  private let columns: Int
  private let area: Double
  private let margin: Int
  private let across: Transform
  private let down: Transform
  private let memory: ScratchMemory
  private let workers: Int

  /// For projections of `rows` × `columns` pixels, with buffers for so many threads. `area` is that of
  /// ``PhaseRetrieval``.
  package init(rows: Int, columns: Int, area: Double, workers: Int) {
    precondition(rows > 0 && columns > 0 && area >= 0 && workers > 0, "\(rows) × \(columns) pixels, area \(area)")
    self.rows = rows
    self.columns = columns
    self.area = area
    self.workers = workers
    margin = Self.margin(rows: rows, columns: columns, area: area)
    across = Transform(length: Transform.length(atLeast: columns + 2 * margin))
    down = Transform(length: Transform.length(atLeast: rows + 2 * margin))
    memory = ScratchMemory(byteCount: Self.byteCount(rows: rows, columns: columns, area: area, workers: workers))
  }

  /// Pixels by which a projection is continued: six times the filter's length, after which a pixel weighs 1/400, but
  /// not more than the projection itself.
  private static func margin(rows: Int, columns: Int, area: Double) -> Int {
    min(max(rows, columns), Int((6 * area.squareRoot()).rounded(.up)) + 8)
  }

  /// Bytes of the spectrum and of the threads' buffers.
  package static func byteCount(rows: Int, columns: Int, area: Double, workers: Int) -> Int {
    let margin = margin(rows: rows, columns: columns, area: area)
    let (width, height) = (
      Transform.length(atLeast: columns + 2 * margin), Transform.length(atLeast: rows + 2 * margin)
    )
    return (rows * (width / 2 + 1) + workers * 2 * max(width, height)) * MemoryLayout<kiss_fft_cpx>.stride
  }

  private var frequencies: Int { across.length / 2 + 1 }

  /// Filters one projection of transmissions in place. Values are finite. Not to be called by two threads at once; the
  /// executor's threads share the work.
  package func apply(_ image: UnsafeMutablePointer<Float>, executor: some Executor) {
    let spectrum = memory.start.assumingMemoryBound(to: kiss_fft_cpx.self)
    let size = max(across.length, down.length)
    // Sound: each item reads and writes its own rows or columns, each worker its own buffers.
    nonisolated(unsafe) let (image, spectra, buffers) = (image, spectrum, spectrum + rows * frequencies)
    let pairs = (rows + 1) / 2
    executor.share(count: pairs, workers: workers) { worker, pair in
      self.transform(pair, image, spectra, buffers + worker * 2 * size)
    }
    executor.share(count: frequencies, workers: workers) { worker, frequency in
      self.filter(frequency, spectra, buffers + worker * 2 * size)
    }
    executor.share(count: pairs, workers: workers) { worker, pair in
      self.transformBack(pair, spectra, image, buffers + worker * 2 * size)
    }
  }

  /// The spectra of two rows a and b from that of a + i b: A(k) = (G(k) + G*(−k)) / 2, B(k) = (G(k) − G*(−k)) / 2i.
  private func transform(
    _ pair: Int, _ image: UnsafePointer<Float>, _ spectra: UnsafeMutablePointer<kiss_fft_cpx>,
    _ buffer: UnsafeMutablePointer<kiss_fft_cpx>
  ) {
    let length = across.length, a = image + 2 * pair * columns
    let b = 2 * pair + 1 < rows ? a + columns : a
    for index in 0..<length {
      let column = continued(index, count: columns, length: length)
      buffer[index] = kiss_fft_cpx(r: a[column], i: b[column])
    }
    let g = buffer + length
    across.forward(buffer, into: g)
    let first = spectra + 2 * pair * frequencies
    for k in 0..<frequencies {
      let (p, q) = (g[k], g[k == 0 ? 0 : length - k])
      first[k] = kiss_fft_cpx(r: (p.r + q.r) / 2, i: (p.i - q.i) / 2)
      if 2 * pair + 1 < rows { first[frequencies + k] = kiss_fft_cpx(r: (p.i + q.i) / 2, i: (q.r - p.r) / 2) }
    }
  }

  /// One column of the spectrum, filtered.
  private func filter(
    _ frequency: Int, _ spectra: UnsafeMutablePointer<kiss_fft_cpx>, _ buffer: UnsafeMutablePointer<kiss_fft_cpx>
  ) {
    let length = down.length, transformed = buffer + length, column = spectra + frequency
    for index in 0..<length { buffer[index] = column[continued(index, count: rows, length: length) * frequencies] }
    down.forward(buffer, into: transformed)
    let x = 2 * Double.pi * Double(frequency) / Double(across.length),
      scale = 1 / (Double(length) * Double(across.length))
    for index in 0..<length {
      let y = 2 * Double.pi * Double(min(index, length - index)) / Double(length)
      let factor = Float(scale / (1 + area * (x * x + y * y)))
      transformed[index].r *= factor
      transformed[index].i *= factor
    }
    down.backward(transformed, into: buffer)
    for row in 0..<rows { column[row * frequencies] = buffer[row] }
  }

  /// Two rows from their spectra, as real and imaginary part of one: G = A + i B, and G(−k) = A*(k) + i B*(k).
  private func transformBack(
    _ pair: Int, _ spectra: UnsafePointer<kiss_fft_cpx>, _ image: UnsafeMutablePointer<Float>,
    _ buffer: UnsafeMutablePointer<kiss_fft_cpx>
  ) {
    let length = across.length, a = spectra + 2 * pair * frequencies, isPair = 2 * pair + 1 < rows
    let b = isPair ? a + frequencies : a
    for k in 0..<frequencies {
      buffer[k] = kiss_fft_cpx(r: a[k].r - b[k].i, i: a[k].i + b[k].r)
      if k > 0, 2 * k < length { buffer[length - k] = kiss_fft_cpx(r: a[k].r + b[k].i, i: b[k].r - a[k].i) }
    }
    let g = buffer + length, target = image + 2 * pair * columns
    across.backward(buffer, into: g)
    for column in 0..<columns {
      target[column] = g[column].r
      if isPair { target[columns + column] = g[column].i }
    }
  }

  /// Which of `count` values stands at `index` of a period: the values, then the last one, and before the period's end
  /// the first one.
  private func continued(_ index: Int, count: Int, length: Int) -> Int {
    index < count ? index : (index - count < (length - count) / 2 ? count - 1 : 0)
  }
}

/// KissFFT's transform of one length, in both directions; may be used by several threads at once.
final class Transform: @unchecked Sendable {
  let length: Int
  private let plans: (forward: OpaquePointer, backward: OpaquePointer)

  init(length: Int) {
    self.length = length
    guard let forward = kiss_fft_alloc(Int32(length), 0, nil, nil),
      let backward = kiss_fft_alloc(Int32(length), 1, nil, nil)
    else {
      fatalError("no memory for a transform of \(length) points")
    }
    plans = (forward, backward)
  }

  deinit {
    free(UnsafeMutableRawPointer(plans.forward))
    free(UnsafeMutableRawPointer(plans.backward))
  }

  /// The smallest even length of factors 2, 3 and 5.
  static func length(atLeast count: Int) -> Int {
    var length = (count + 1) & ~1
    while !isFast(length) { length += 2 }
    return length
  }

  private static func isFast(_ length: Int) -> Bool {
    var rest = length
    for factor in [2, 3, 5] { while rest % factor == 0 { rest /= factor } }
    return rest == 1
  }

  func forward(_ points: UnsafePointer<kiss_fft_cpx>, into spectrum: UnsafeMutablePointer<kiss_fft_cpx>) {
    kiss_fft(plans.forward, points, spectrum)
  }

  /// Without the factor 1 / length.
  func backward(_ spectrum: UnsafePointer<kiss_fft_cpx>, into points: UnsafeMutablePointer<kiss_fft_cpx>) {
    kiss_fft(plans.backward, spectrum, points)
  }
}
