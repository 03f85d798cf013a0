@testable import KernelTypes
@testable import Tomography

/// Zeroed memory at a page's start.
final class Memory {
  let start: UnsafeMutableRawPointer

  init(byteCount: Int) {
    start = .allocate(byteCount: byteCount, alignment: 4096)
    start.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  deinit { start.deallocate() }
}

/// A volume and a sinogram of all blocks in memory, one slot for each theta.
struct Scan {
  let layout: SliceLayout
  let beam: ParallelBeam
  let thetas: [Double]
  let volume: Memory
  let sinogram: Memory

  init(columns: Int, rows: Int = 1, lanes: Int? = nil, axis: Double? = nil, thetas: [Double]) {
    layout = SliceLayout(columns: columns, rows: rows, lanes: lanes)
    beam = ParallelBeam(columns: columns, rotationAxis: axis ?? Double(columns) / 2)
    self.thetas = thetas
    volume = Memory(byteCount: layout.volumeByteCount)
    sinogram = Memory(byteCount: layout.blockCount * layout.sinogramBlockByteCount(slots: thetas.count))
  }

  var blocks: Range<Int> { 0..<layout.blockCount }
  var angles: [WindowAngle] { thetas.indices.map { WindowAngle(theta: thetas[$0], slot: $0) } }

  func set(slice: [Float], row: Int = 0) {
    slice.withUnsafeBufferPointer { layout.setSlice(row: row, in: volume.start, from: $0) }
  }

  func slice(_ row: Int = 0, of volume: Memory? = nil) -> [Float] {
    var slice = [Float](repeating: 0, count: layout.columns * layout.columns)
    slice.withUnsafeMutableBufferPointer { layout.copySlice(row: row, from: (volume ?? self.volume).start, into: $0) }
    return slice
  }

  /// `rows[row * columns + bin]`
  func set(projection rows: [Float], slot: Int) {
    precondition(rows.count == layout.rows * layout.columns)
    layout.storeProjection(rows, blocks: blocks, slot: slot, slots: thetas.count, into: sinogram.start)
  }

  func projection(slot: Int) -> [Float] {
    var rows = [Float](repeating: .nan, count: layout.rows * layout.columns)
    layout.copyProjection(slot: slot, slots: thetas.count, from: sinogram.start, blocks: blocks, into: &rows)
    return rows
  }

  func forward(level: Int? = nil, executor: some Executor = SerialExecutor()) {
    Projector(layout: layout, beam: beam, level: level).forward(
      volume: volume.start, sinogram: sinogram.start, slots: thetas.count, blocks: blocks, angles: angles,
      executor: executor)
  }

  func back(level: Int? = nil, executor: some Executor = SerialExecutor()) {
    Projector(layout: layout, beam: beam, level: level).back(
      volume: volume.start, sinogram: sinogram.start, slots: thetas.count, blocks: blocks, angles: angles,
      executor: executor)
  }

  /// Updates the volume in place over all angles.
  @discardableResult
  func solve(
    _ options: SIRTOptions = SIRTOptions(), iterations: Int, level: Int? = nil,
    executor: some Executor = SerialExecutor()
  )
    -> Residual
  {
    SIRTSolver(
      layout: layout, beam: beam, options: options, anglesMax: thetas.count, threads: executor.width, level: level
    ).update(
      volume: volume.start, next: volume.start, sinogram: sinogram.start, slots: thetas.count, blocks: blocks,
      angles: angles,
      iterations: iterations, executor: executor)
  }

  /// Starts as the method does and updates over all angles, in place or into `next`.
  @discardableResult
  func solve(
    _ method: Method, iterations: Int, next: Memory? = nil, level: Int? = nil,
    executor: some Executor = SerialExecutor()
  ) -> Residual {
    let solver = method.solver(
      layout: layout, beam: beam, anglesMax: thetas.count, threads: executor.width, level: level)
    solver.start(
      volume: volume.start, keeping: false, sinogram: sinogram.start, slots: thetas.count, blocks: blocks,
      angles: angles,
      executor: executor)
    return solver.update(
      volume: volume.start, next: (next ?? volume).start, sinogram: sinogram.start, slots: thetas.count, blocks: blocks,
      angles: angles,
      iterations: iterations, executor: executor)
  }
}
