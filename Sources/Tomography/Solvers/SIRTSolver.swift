import Glibc
package import KernelTypes

/// SIRT with windows: x ← x + λ C Aᵀ R (b − A x) over the angles of a window, where R and C are the inverse row and
/// column sums of A *over that window* (P. Gilbert, J. Theor. Biol. 36, 1972; in this form J. Gregor and T. Benson,
/// IEEE Trans. Med. Imaging 27, 2008).
///
/// A row or column whose sum is nearly zero gets weight 0, so voxels that no ray of the window meets stay as they are.
/// All memory is allocated by `init`. One update at a time.
package final class SIRTSolver {
  let layout: SliceLayout
  private let beam: ParallelBeam
  private let options: SIRTOptions
  private let pass: ProjectionPass
  private let tiles: TileScratch
  private let memory: SIRTMemory
  /// The thetas that the plan and the sums were made for.
  private var prepared: [Double]

  /// Allocates what updates of up to `blocksMax` blocks (default all of the layout), `anglesMax` angles and `threads`
  /// threads (default one for each processor) need. `level` is the x86-64 level of the instructions, the processor's
  /// own if nil.
  package init(
    layout: SliceLayout, beam: ParallelBeam, options: SIRTOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil,
    level: Int? = nil
  ) {
    precondition(
      layout.columns == beam.columns, "a layout of \(layout.columns) columns for a detector of \(beam.columns)")
    self.layout = layout
    self.beam = beam
    self.options = options
    pass = ProjectionPass(
      layout: layout, kernels: KernelTable(level: level), plan: AnglePlan(capacity: anglesMax), isDisk: options.diskMask
    )
    tiles = TileScratch(layout: layout, workers: threads ?? SIRTSolver.processorCount)
    memory = SIRTMemory(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
    prepared = []
    prepared.reserveCapacity(anglesMax)
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int {
    SIRTSolver.scratchByteCount(
      layout: layout, anglesMax: pass.plan.capacity, blocksMax: memory.blocks, threads: tiles.workers)
  }

  /// Bytes that `init` with the same arguments would allocate.
  package static func scratchByteCount(layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil)
    -> Int
  {
    SIRTMemory.byteCount(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
      + TileScratch.byteCount(layout: layout, workers: threads ?? processorCount)
      + AnglePlan.byteCount(capacity: anglesMax) + anglesMax * MemoryLayout<Double>.stride
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
    memory.requireRoom(for: blocks, of: layout, angles: angles, slots: slots, iterations: iterations)
    prepare(angles, executor)
    var source = volume
    for _ in 0..<iterations {
      pass.forward(
        volume: source, sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, executor: executor)
      subtract(sinogram, slots: slots, blocks: blocks, angles: angles, executor)
      correct(source, next, blocks: blocks, executor)
      source = UnsafeRawPointer(next)
    }
    return memory.residual(layout: layout, blocks: blocks, angles: angles.count)
  }

  /// Weights depend on the thetas alone, so a final iterations computes them once.
  private func prepare(_ angles: [WindowAngle], _ executor: some Executor) {
    guard !prepared.elementsEqual(angles.lazy.map(\.theta)) else { return }
    pass.plan.prepare(angles, beam: beam) { $0 }
    let mask = DiskMask(columns: layout.columns, isDisk: options.diskMask)
    let rowSums = RowSums(beam: beam, mask: mask)
    executor.forEach(count: angles.count) {
      rowSums.inverse(theta: angles[$0].theta, into: memory.rowWeights(angle: $0))
    }
    executor.forEach(count: layout.columns) { row in
      let scales = memory.scales(row: row)
      pass.kernels.columnSums(row, pass.plan.back, layout.columns, scales)
      let inside = mask.columns(row: row)
      for column in 0..<layout.columns {
        let sum = scales[column]
        scales[column] = sum > Float(sumMin) && inside.contains(column) ? options.relaxation / sum : 0
      }
    }
    prepared.removeAll(keepingCapacity: true)
    prepared.append(contentsOf: angles.lazy.map(\.theta))
  }

  /// memory.residuals = R (b − A x)
  private func subtract(
    _ sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>, angles: [WindowAngle], _ executor: some Executor
  ) {
    executor.forEach(count: blocks.count * angles.count) { item in
      let index = item / angles.count, block = blocks.lowerBound + index, angle = item % angles.count
      let residuals =
        memory.residuals + layout.binOffset(block: block, of: blocks, slot: angle, slots: memory.anglesMax)
      layout.clearMargins(of: residuals, block: block)
      pass.kernels.residualRow(
        residuals,
        sinogram + layout.binOffset(block: block, of: blocks, slot: angles[angle].slot, slots: slots),
        memory.rowWeights(angle: angle), layout.shape(block: block), memory.sums(block: index, angle: angle))
    }
  }

  /// next = x + λ C Aᵀ residuals
  private func correct(
    _ volume: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, blocks: Range<Int>, _ executor: some Executor
  ) {
    pass.back(
      sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, scratch: tiles, executor: executor
    ) { block in
      let offset = layout.pixelOffset(block: block)
      return TileTarget(
        next: next + offset,
        update: TileTarget.Update(
          x: volume + offset, scales: memory.scales(row: 0), scalesPitch: memory.scalesPitch,
          isNonNegative: options.nonNegative,
          streams: volume != next))
    }
  }
}
