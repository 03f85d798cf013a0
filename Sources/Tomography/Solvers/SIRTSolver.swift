import KernelTypes

/// SIRT with windows: x ← x + λ C Aᵀ R (b − A x) over the angles of a window, where R and C are the inverse row and
/// column sums of A *over that window* (P. Gilbert, J. Theor. Biol. 36, 1972; in this form J. Gregor and T. Benson,
/// IEEE Trans. Med. Imaging 27, 2008).
///
/// Projections that count for shares of their own (`WindowAngle`) have R times their share, and C is made of column
/// sums with these: gaps between angles then pull less. With shares of 1 it is SIRT proper, to the bit.
///
/// A row or column whose sum is nearly zero gets weight 0, so voxels that no ray of the window meets stay as they are.
/// All memory is allocated by `init`. One update at a time.
package final class SIRTSolver: WindowSolver {
  private let options: SIRTOptions
  private let workspace: SolverWorkspace
  private let rowSums: RowSums
  /// Angles of the plan times their shares.
  private var shared: [BackAngle] = []

  /// Allocates what updates need. See `Method.solver` for the arguments.
  init(
    layout: SliceLayout, beam: ParallelBeam, options: SIRTOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil, level: Int? = nil
  ) {
    self.options = options
    workspace = SolverWorkspace(
      layout: layout, beam: beam, diskMask: options.diskMask, skipsOutside: true, anglesMax: anglesMax,
      blocksMax: blocksMax, threads: threads, level: level)
    rowSums = RowSums(beam: beam, mask: workspace.mask)
    shared.reserveCapacity(anglesMax)
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int { workspace.byteCount }

  /// Bytes that `init` with the same arguments would allocate.
  static func scratchByteCount(
    layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil
  ) -> Int {
    SolverWorkspace.byteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
  }

  /// Any volume will do; SIRT's own is zero.
  package func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], executor: some Executor
  ) {
    if !keeping { workspace.layout.clear(blocks, of: volume, executor) }
  }

  /// Updates the slices of `blocks`: the first iteration reads `volume` and writes `next` (which may be the same
  /// memory), later ones go on in `next`. Both hold all blocks, `sinogram` exactly `blocks`, with `slots` slots each.
  /// At most as many threads work as `init` was told.
  ///
  /// Returns the residual of the last iteration, before its update. The same bits for any executor, any cut of the
  /// volume into blocks and calls, and any lane width.
  package func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual {
    let window = WindowData(sinogram: sinogram, slots: slots, blocks: blocks, angles: angles), memory = workspace.memory
    memory.requireRoom(for: window, of: workspace.layout, iterations: iterations)
    prepare(angles, executor)
    // R (b − A x), and then x + λ C Aᵀ of it.
    return workspace.iterate(
      volume: volume, next: next, window: window, iterations: iterations, executor: executor
    ) { row in
      let weights = memory.rowWeights(angle: row.angle) + workspace.layout.measured.lowerBound
      workspace.kernels.residualRow(row.scratch, row.data, weights, row.shape, row.sums)
    } correct: { source in
      correct(source, next, blocks: blocks, executor)
    }
  }

  private func prepare(_ angles: [WindowAngle], _ executor: some Executor) {
    workspace.prepare(angles) {
      executor.forEach(count: angles.count) {
        let weights = workspace.memory.rowWeights(angle: $0), share = angles[$0].share
        rowSums.inverse(theta: angles[$0].theta, into: weights)
        for bin in 0..<workspace.layout.columns { weights[bin] *= share }
      }
      guard angles.contains(where: { $0.share != 1 }) else {
        return workspace.scaleColumns(executor) { options.relaxation / $0 }
      }
      shared.removeAll(keepingCapacity: true)
      shared.append(contentsOf: workspace.pass.plan.back.lazy.map { $0.weighed(by: angles[$0.slot].share) })
      shared.withUnsafeBufferPointer { shared in
        workspace.scaleColumns(over: shared, executor) { options.relaxation / $0 }
      }
    }
  }

  /// next = x + λ C Aᵀ residuals
  private func correct(
    _ volume: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, blocks: Range<Int>, _ executor: some Executor
  ) {
    let memory = workspace.memory
    workspace.back(blocks: blocks, executor) { block in
      let offset = workspace.layout.pixelOffset(block: block)
      return TileTarget(
        next: next + offset,
        update: TileTarget.Update(
          x: volume + offset, scales: memory.scales(row: 0), scalesPitch: memory.scalesPitch,
          isNonNegative: options.nonNegative, streams: volume != next))
    }
  }
}
