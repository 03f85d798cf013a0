import KernelTypes

/// A solver for each block, because the rotation axis is another in each: an update goes through its blocks one after
/// the other. Each has its plan of the angles; the bits of a slice are those of its block's solver alone.
final class BlockSolvers: WindowSolver {
  private let beams: [ParallelBeam]
  private let layout: SliceLayout
  private let make: (ParallelBeam) -> any WindowSolver
  /// By block; one that is made last where there is memory for one.
  private var solvers: [Int: any WindowSolver] = [:]
  private let isOneAtATime: Bool

  /// With memory for the solvers of all blocks, or with a `blocksMax` of 1 for that of the block that was asked for
  /// last.
  init(
    beams: [ParallelBeam], blocksMax: Int, layout: SliceLayout, make: @escaping (ParallelBeam) -> any WindowSolver
  ) {
    precondition(beams.count == layout.blockCount, "\(beams.count) beams of \(layout.blockCount) blocks")
    (self.beams, self.layout, self.make) = (beams, layout, make)
    isOneAtATime = blocksMax == 1
    if !isOneAtATime { for block in beams.indices { solvers[block] = make(beams[block]) } }
  }

  var scratchByteCount: Int { solvers.values.reduce(0) { $0 + $1.scratchByteCount } }

  private func solver(of block: Int) -> any WindowSolver {
    if let solver = solvers[block] { return solver }
    precondition(isOneAtATime, "block \(block) of \(beams.count) has no solver")
    solvers.removeAll()
    let solver = make(beams[block])
    solvers[block] = solver
    return solver
  }

  func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], executor: some Executor
  ) {
    for block in blocks {
      solver(of: block).start(
        volume: volume, keeping: keeping, sinogram: part(sinogram, block, blocks, slots), slots: slots,
        blocks: block..<block + 1, angles: angles, executor: executor)
    }
  }

  func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual {
    var (residualSquared, dataSquared) = (0.0, 0.0)
    for block in blocks {
      let residual = solver(of: block).update(
        volume: volume, next: next, sinogram: part(sinogram, block, blocks, slots), slots: slots,
        blocks: block..<block + 1, angles: angles, iterations: iterations, executor: executor)
      residualSquared += residual.residualSquared
      dataSquared += residual.dataSquared
    }
    return Residual(residualSquared: residualSquared, dataSquared: dataSquared)
  }

  /// Where a block begins in a sinogram that holds `blocks`.
  private func part(
    _ sinogram: UnsafeRawPointer, _ block: Int, _ blocks: Range<Int>, _ slots: Int
  ) -> UnsafeRawPointer {
    sinogram + (block - blocks.lowerBound) * layout.sinogramBlockByteCount(slots: slots)
  }
}
