import Glibc
internal import KernelTypes

/// Maximum likelihood by expectation maximisation with windows, plain or penalised: e = x · Aᵀ(b / A x) and s = Aᵀ1
/// over the angles of a window.
///
/// Plain: x ← e / s (MLEM: L. A. Shepp and Y. Vardi, IEEE Trans. Med. Imaging 1, 1982; for line integrals of
/// transmission data the likelihood is a model, not the noise's). Over ordered subsets of the angles it is OS-EM (H. M.
/// Hudson and R. S. Larkin, IEEE Trans. Med. Imaging 13, 1994). Penalised: the maximum of De Pierro's separable
/// surrogate of likelihood and penalty (A. R. De Pierro, IEEE Trans. Med. Imaging 14, 1995), the root of a quadratic
/// equation for each voxel. The hybrid penalty's curvature is taken at the old difference: weighted linear and
/// quadratic penalties as in J.-H. Chang, J. M. M. Anderson and J. R. Votaw, IEEE Trans. Med. Imaging 23, 2004.
///
/// Line integrals below zero count as zero. A bin to which nothing is projected is left out. Voxels that no ray of the
/// window meets stay as they are, and a voxel that is zero stays zero: `start` writes something else first. Voxels
/// below 1e-25 become zero.
package final class EMSolver: WindowSolver {
  private let layout: SliceLayout
  private let beam: ParallelBeam
  private let options: EMOptions
  private let mask: DiskMask
  private let pass: ProjectionPass
  private let tiles: TileScratch
  private let memory: SIRTMemory
  private let penalty: (tile: TilePenalty, memory: PenaltyMemory)?
  /// The thetas that the plan and the sums were made for.
  private var prepared: [Double]

  /// Allocates what updates of up to `blocksMax` blocks (default all of the layout), `anglesMax` angles and `threads`
  /// threads (default one for each processor) need. `level` is the x86-64 level of the instructions, the processor's
  /// own if nil.
  package init(
    layout: SliceLayout, beam: ParallelBeam, options: EMOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil,
    level: Int? = nil
  ) {
    precondition(
      layout.columns == beam.columns, "a layout of \(layout.columns) columns for a detector of \(beam.columns)")
    self.layout = layout
    self.beam = beam
    self.options = options
    mask = DiskMask(columns: layout.columns, isDisk: options.diskMask)
    pass = ProjectionPass(
      layout: layout, kernels: KernelTable(level: level), plan: AnglePlan(capacity: anglesMax), isDisk: options.diskMask)
    tiles = TileScratch(layout: layout, workers: threads ?? EMSolver.processorCount)
    memory = SIRTMemory(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
    let penaltyMemory = PenaltyMemory(layout: layout, blocks: options.penalty == nil ? 0 : memory.blocks, mask: mask)
    penalty =
      switch options.penalty {
      case nil: nil
      case .quadratic(let strength): (TilePenalty(strength: strength, delta: nil), penaltyMemory)
      case .hybrid(let strength, let delta): (TilePenalty(strength: strength, delta: delta), penaltyMemory)
      }
    prepared = []
    prepared.reserveCapacity(anglesMax)
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int {
    EMSolver.scratchByteCount(
      layout: layout, options: options, anglesMax: pass.plan.capacity, blocksMax: memory.blocks, threads: tiles.workers)
  }

  /// Bytes that `init` with the same arguments would allocate.
  package static func scratchByteCount(
    layout: SliceLayout, options: EMOptions, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil
  ) -> Int {
    let blocks = blocksMax ?? layout.blockCount
    return SIRTMemory.byteCount(layout: layout, anglesMax: anglesMax, blocks: blocks)
      + TileScratch.byteCount(layout: layout, workers: threads ?? processorCount)
      + AnglePlan.byteCount(capacity: anglesMax) + anglesMax * MemoryLayout<Double>.stride
      + (options.penalty == nil ? 0 : PenaltyMemory.byteCount(layout: layout, blocks: blocks))
  }

  /// See `WindowSolver`.
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
      executor.forEach(count: blocks.count * angles.count) { item in
        let index = item / angles.count, block = blocks.lowerBound + index, angle = item % angles.count
        let ratios = memory.residuals + layout.binOffset(block: block, of: blocks, slot: angle, slots: memory.anglesMax)
        layout.clearMargins(of: ratios, block: block)
        pass.kernels.ratioRow(
          ratios,
          sinogram + layout.binOffset(block: block, of: blocks, slot: angles[angle].slot, slots: slots),
          layout.shape(block: block),
          memory.sums(block: index, angle: angle))
      }
      if penalty == nil {
        scale(source, next, blocks: blocks, executor)
      } else {
        penalise(source, next, blocks: blocks, executor)
      }
      source = UnsafeRawPointer(next)
    }
    return memory.residual(layout: layout, blocks: blocks, angles: angles.count)
  }

  /// Column sums depend on the thetas alone, so a final iterations computes them once. They are kept as 1 / s for the
  /// plain method and as s for the penalised one; 0 where a voxel takes no part.
  private func prepare(_ angles: [WindowAngle], _ executor: some Executor) {
    guard !prepared.elementsEqual(angles.lazy.map(\.theta)) else { return }
    pass.plan.prepare(angles, beam: beam) { $0 }
    executor.forEach(count: layout.columns) { row in
      let scales = memory.scales(row: row)
      pass.kernels.columnSums(row, pass.plan.back, layout.columns, scales)
      let inside = mask.columns(row: row)
      for column in 0..<layout.columns {
        let sum = scales[column], takesPart = sum > Float(sumMin) && inside.contains(column)
        scales[column] = takesPart ? (penalty == nil ? 1 / sum : sum) : 0
      }
    }
    prepared.removeAll(keepingCapacity: true)
    prepared.append(contentsOf: angles.lazy.map(\.theta))
  }

  /// next = x · Aᵀ ratios / s
  private func scale(
    _ volume: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, blocks: Range<Int>, _ executor: some Executor
  ) {
    pass.back(
      sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, prefetching: volume, scratch: tiles, executor: executor
    ) { block, tile, sums in
      let offset = layout.pixelOffset(block: block)
      pass.kernels.scaleTile(
        tile, sums, volume + offset, next + offset, memory.scales(row: 0), memory.scalesPitch, options.factorMin,
        next != volume, layout.shape(block: block))
    }
  }

  private func penalise(
    _ volume: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, blocks: Range<Int>, _ executor: some Executor
  ) {
    guard let penalty else { return }
    penalty.memory.save(volume, blocks: blocks, executor)
    pass.back(
      sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, prefetching: volume, scratch: tiles, executor: executor
    ) { block, tile, sums in
      let border = penalty.memory.border(tile, block: block, index: block - blocks.lowerBound), offset = layout.pixelOffset(block: block)
      pass.kernels.penaliseTile(
        tile, sums, volume + offset, border, next + offset, memory.scales(row: 0), memory.scalesPitch, penalty.memory.ranges,
        penalty.tile, options.factorMin, next != volume, layout.shape(block: block))
    }
  }

  /// Writes a constant for each slice: what makes the sum of its projections that of the (non-negative) data, and at
  /// least 1e-6. With `keeping`, raises the voxels of a given volume to a hundredth of that. Voxels outside the mask
  /// become zero.
  package func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle],
    executor: some Executor
  ) {
    precondition(layout.checked(blocks).count <= memory.blocks, "\(blocks.count) blocks, room for \(memory.blocks)")
    prepare(angles, executor)
    executor.forEach(count: blocks.count * angles.count) { item in
      let index = item / angles.count, block = blocks.lowerBound + index, angle = item % angles.count
      pass.kernels.dataSums(
        sinogram + layout.binOffset(block: block, of: blocks, slot: angles[angle].slot, slots: slots), layout.shape(block: block),
        memory.sums(block: index, angle: angle))
    }
    let total = columnSumTotal
    if !keeping { layout.clear(blocks, of: volume, executor) }
    executor.forEach(count: blocks.count * layout.columns) { item in
      let index = item / layout.columns, row = item % layout.columns
      let block = blocks.lowerBound + index, shape = layout.shape(block: block)
      let pixels = volume + layout.pixelOffset(block: block)
      let line = (pixels + row * shape.volumePitch * shape.pixelByteCount).assumingMemoryBound(to: Float.self)
      let inside = mask.columns(row: row)
      for lane in 0..<layout.rows(of: block..<block + 1).count {
        let mean = meanVoxel(index: index, lane: lane, angles: angles.count, total: total)
        for column in 0..<layout.columns {
          let old = line[column * shape.lanes + lane], least = keeping ? 0.01 * mean : mean
          line[column * shape.lanes + lane] = !inside.contains(column) ? 0 : old >= least ? old : least
        }
      }
    }
  }

  /// Sum of all column sums, row by row.
  private var columnSumTotal: Double {
    var total = 0.0
    for row in 0..<layout.columns {
      let scales = memory.scales(row: row)
      for column in 0..<layout.columns where scales[column] != 0 {
        total += penalty == nil ? 1 / Double(scales[column]) : Double(scales[column])
      }
    }
    return total
  }

  private func meanVoxel(index: Int, lane: Int, angles: Int, total: Double) -> Float {
    let sum = (0..<angles).reduce(0.0) { $0 + memory.sums(block: index, angle: $1)[lane] }
    let mean = total > 0 ? Float(sum / total) : 0
    // Not max, which would take a NaN for the smaller one.
    return mean < 1e-6 ? 1e-6 : mean
  }
}
