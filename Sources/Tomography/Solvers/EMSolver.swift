import KernelTypes

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
  private let options: EMOptions
  private let workspace: SolverWorkspace
  private var layout: SliceLayout { workspace.layout }
  private var memory: UpdateMemory { workspace.memory }
  private let penalty: (tile: TilePenalty, memory: PenaltyMemory)?

  /// Allocates what updates need. See `Method.solver` for the arguments.
  init(
    layout: SliceLayout, beam: ParallelBeam, options: EMOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil, level: Int? = nil
  ) {
    self.options = options
    workspace = SolverWorkspace(
      layout: layout, beam: beam, diskMask: options.diskMask, skipsOutside: true, anglesMax: anglesMax,
      blocksMax: blocksMax, threads: threads, level: level)
    let tile: TilePenalty? =
      switch options.penalty {
      case nil: nil
      case .quadratic(let strength): TilePenalty(strength: strength, delta: nil)
      case .hybrid(let strength, let delta): TilePenalty(strength: strength, delta: delta)
      }
    let workspace = workspace
    penalty = tile.map { ($0, PenaltyMemory(layout: layout, blocks: workspace.memory.blocks, mask: workspace.mask)) }
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int {
    workspace.byteCount
      + (penalty == nil ? 0 : PenaltyMemory.byteCount(layout: layout, blocks: memory.blocks))
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func scratchByteCount(
    layout: SliceLayout, options: EMOptions, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil
  ) -> Int {
    SolverWorkspace.byteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
      + (options.penalty == nil ? 0 : PenaltyMemory.byteCount(layout: layout, blocks: blocksMax ?? layout.blockCount))
  }

  /// See `WindowSolver`.
  package func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual {
    let window = WindowData(sinogram: sinogram, slots: slots, blocks: blocks, angles: angles)
    memory.requireRoom(for: window, of: layout, iterations: iterations)
    prepare(angles, executor)
    return workspace.iterate(
      volume: volume, next: next, window: window, iterations: iterations, executor: executor
    ) { row in
      workspace.kernels.ratioRow(row.scratch, row.data, row.shape, row.sums)
    } correct: { source in
      if penalty == nil {
        scale(source, next, blocks: blocks, executor)
      } else {
        penalise(source, next, blocks: blocks, executor)
      }
    }
  }

  /// Column sums are kept as 1 / s for the plain method and as s for the penalised one.
  private func prepare(_ angles: [WindowAngle], _ executor: some Executor) {
    workspace.prepare(angles) { workspace.scaleColumns(executor) { penalty == nil ? 1 / $0 : $0 } }
  }

  /// next = x · Aᵀ ratios / s
  private func scale(
    _ volume: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, blocks: Range<Int>, _ executor: some Executor
  ) {
    workspace.back(blocks: blocks, prefetching: volume, executor) { block, tile, sums in
      let offset = layout.pixelOffset(block: block)
      workspace.kernels.scaleTile(
        tile, sums, volume + offset, next + offset, memory.scales(row: 0), memory.scalesPitch, options.factorMin,
        next != volume, layout.shape(block: block))
    }
  }

  private func penalise(
    _ volume: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, blocks: Range<Int>, _ executor: some Executor
  ) {
    guard let penalty else { return }
    penalty.memory.save(volume, blocks: blocks, executor)
    workspace.back(blocks: blocks, prefetching: volume, executor) { block, tile, sums in
      let border = penalty.memory.border(tile, block: block, index: block - blocks.lowerBound)
      let offset = layout.pixelOffset(block: block)
      workspace.kernels.penaliseTile(
        tile, sums, volume + offset, border, next + offset, memory.scales(row: 0), memory.scalesPitch,
        penalty.memory.ranges, penalty.tile, options.factorMin, next != volume, layout.shape(block: block))
    }
  }

  /// Writes a constant for each slice: what makes the sum of its projections that of the (non-negative) data, and at
  /// least 1e-6. With `keeping`, raises the voxels of a given volume to a hundredth of that. Voxels outside the mask
  /// become zero.
  package func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], executor: some Executor
  ) {
    precondition(layout.checked(blocks).count <= memory.blocks, "\(blocks.count) blocks, room for \(memory.blocks)")
    prepare(angles, executor)
    let window = WindowData(sinogram: sinogram, slots: slots, blocks: blocks, angles: angles)
    workspace.forEachRow(of: window, executor) { workspace.kernels.dataSums($0.data, $0.shape, $0.sums) }
    let total = columnSumTotal
    if !keeping { layout.clear(blocks, of: volume, executor) }
    executor.forEach(count: blocks.count * layout.columns) { item in
      let index = item / layout.columns, row = item % layout.columns
      let block = blocks.lowerBound + index, shape = layout.shape(block: block)
      let pixels = volume + layout.pixelOffset(block: block)
      let line = (pixels + row * shape.volumePitch * shape.pixelByteCount).assumingMemoryBound(to: Float.self)
      let inside = workspace.mask.columns(row: row)
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
