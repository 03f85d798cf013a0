import KernelTypes

/// How well some slice explains a sinogram, for 16 positions of the axis at once.
///
/// For each candidate c conjugate gradients look for a slice x with A(c) x ≈ p. About the true axis there is one; about
/// another no slice has these projections, whatever they leave out, so that more of them is left over. That asks for no
/// two projections half a turn apart, for no span, and for no sample that stays on the detector: bins beyond it are not
/// compared.
///
/// Candidates are a bin apart, so that no value is interpolated: lane j has the sinogram j bins further left, about the
/// same axis. CGLS as in `CGLSSolver`, whose bins beyond the detector would count as air.
struct AxisConsistency {
  /// Candidates of a call.
  static let lanes = 16
  private typealias Lane = SIMD16<Float>

  private let sinogram: SortedSinogram
  private let layout: SliceLayout
  private let angles: [WindowAngle]
  private let memory: Memory

  private struct Memory {
    let volume, direction, gradient, rest, projected, mask: ScratchMemory
  }

  /// `grid` is the edge of the slice in bins; matter beyond it there is none.
  init(_ sinogram: SortedSinogram, grid: Int) {
    self.sinogram = sinogram
    layout = SliceLayout(columns: grid, rows: Self.lanes, lanes: Self.lanes)
    angles = sinogram.thetas.enumerated().map { WindowAngle(theta: $1, slot: $0) }
    let volume = layout.volumeByteCount, bins = layout.sinogramBlockByteCount(slots: angles.count)
    memory = Memory(
      volume: ScratchMemory(byteCount: volume), direction: ScratchMemory(byteCount: volume),
      gradient: ScratchMemory(byteCount: volume), rest: ScratchMemory(byteCount: bins),
      projected: ScratchMemory(byteCount: bins), mask: ScratchMemory(byteCount: bins))
  }

  /// What is left over with the axis at `first`, `first` + 1 … bins: squared, as a part of all, after each number of
  /// iterations of `stops`.
  func leftOver(first: Double, stops: [Int]) -> [[Double]] {
    let shift = Int((first - Double(layout.columns) / 2).rounded())
    let beam = ParallelBeam(columns: layout.columns, rotationAxis: first - Double(shift))
    let projector = Projector(layout: layout, beam: beam), executor = SerialExecutor()
    let (x, p, s) = (volume(memory.volume), volume(memory.direction), volume(memory.gradient))
    let (r, q, mask) = (bins(memory.rest), bins(memory.projected), bins(memory.mask))
    for part in [x, p, s, r, q, mask] { part.update(repeating: .zero) }
    place(shift: shift, in: r, mask)
    func back() {
      projector.back(
        volume: memory.gradient.start, sinogram: memory.rest.start, slots: angles.count, blocks: 0..<1, angles: angles,
        executor: executor)
    }
    let all = squares(r)
    back()
    for index in p.indices { p[index] = s[index] }
    var gamma = squares(s), found: [[Double]] = []
    for iteration in 1...(stops.last ?? 1) {
      projector.forward(
        volume: memory.direction.start, sinogram: memory.projected.start, slots: angles.count, blocks: 0..<1,
        angles: angles, executor: executor)
      for index in q.indices { q[index] *= mask[index] }
      let alpha = quotients(gamma, squares(q))
      for index in x.indices { x[index] += alpha * p[index] }
      for index in r.indices { r[index] -= alpha * q[index] }
      if stops.contains(iteration) {
        found.append(zip(squares(r), all).map { $1 > 0 ? $0 / $1 : .infinity })
      }
      back()
      let next = squares(s), beta = quotients(next, gamma)
      for index in p.indices { p[index] = s[index] + beta * p[index] }
      gamma = next
    }
    return found
  }

  /// The projections as each lane has them, and 1 where there are any.
  private func place(shift: Int, in rest: UnsafeMutableBufferPointer<Lane>, _ mask: UnsafeMutableBufferPointer<Lane>) {
    for slot in angles.indices {
      let start = layout.binOffset(block: 0, of: 0..<1, slot: slot, slots: angles.count) / MemoryLayout<Lane>.stride
      for bin in 0..<layout.columns {
        for lane in 0..<Self.lanes {
          let source = bin + shift + lane
          guard (0..<sinogram.columns).contains(source) else { continue }
          rest[start + bin][lane] = sinogram.values[slot * sinogram.columns + source]
          mask[start + bin][lane] = 1
        }
      }
    }
  }

  /// All of it, margins and all: they hold zeros.
  private func volume(_ memory: ScratchMemory) -> UnsafeMutableBufferPointer<Lane> {
    lanes(memory, byteCount: layout.volumeByteCount)
  }

  private func bins(_ memory: ScratchMemory) -> UnsafeMutableBufferPointer<Lane> {
    lanes(memory, byteCount: layout.sinogramBlockByteCount(slots: angles.count))
  }

  private func lanes(_ memory: ScratchMemory, byteCount: Int) -> UnsafeMutableBufferPointer<Lane> {
    let stride = MemoryLayout<Lane>.stride
    return UnsafeMutableBufferPointer(
      start: memory.start.bindMemory(to: Lane.self, capacity: byteCount / stride), count: byteCount / stride)
  }

  /// Σ v² of each lane.
  private func squares(_ values: UnsafeMutableBufferPointer<Lane>) -> [Double] {
    var sums = [Double](repeating: 0, count: Self.lanes)
    for first in stride(from: 0, to: values.count, by: 64) {
      var part = Lane.zero
      for index in first..<min(first + 64, values.count) { part += values[index] * values[index] }
      for lane in 0..<Self.lanes { sums[lane] += Double(part[lane]) }
    }
    return sums
  }

  /// 0 where nothing is left to do.
  private func quotients(_ dividends: [Double], _ divisors: [Double]) -> Lane {
    var lane = Lane.zero
    for index in 0..<Self.lanes where divisors[index] > 0 { lane[index] = Float(dividends[index] / divisors[index]) }
    return lane
  }
}
