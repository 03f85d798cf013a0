import KernelTypes

/// Filtered backprojection: x = Σ Δθ Aᵀ(h ∗ b) over the angles of a window, h a windowed ramp (`FBPOptions.Filter`) and
/// Δθ the part of half a turn that a projection stands for (`angularWeights`). The sum over all projections of a scan
/// is its reconstruction, that over the last half turn a quick look. With half acquisition h ∗ (w b) over a whole turn,
/// `overlapWeights` w.
///
/// The interpolation is that of Joseph's transpose. An update does not look at the volume that was there, so its
/// residual is that of a zero volume: ‖b‖.
package final class FBPSolver: WindowSolver {
  private let workspace: SolverWorkspace
  private var layout: SliceLayout { workspace.layout }
  private var memory: UpdateMemory { workspace.memory }
  private let filter: RowFilter
  private var weights: [Float] = []

  /// Allocates what updates need. See `Method.solver` for the arguments.
  init(
    layout: SliceLayout, beam: ParallelBeam, options: FBPOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil, level: Int? = nil
  ) {
    workspace = SolverWorkspace(
      layout: layout, beam: beam, diskMask: options.diskMask, skipsOutside: false, anglesMax: anglesMax,
      blocksMax: blocksMax, threads: threads, level: level)
    filter = RowFilter(
      binWeights: layout.overlapWeights(rotationAxis: beam.rotationAxis), filter: options.filter,
      workers: workspace.tiles.workers)
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int {
    FBPSolver.scratchByteCount(
      layout: layout, anglesMax: workspace.pass.plan.capacity, blocksMax: memory.blocks,
      threads: workspace.tiles.workers)
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func scratchByteCount(
    layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil
  ) -> Int {
    SolverWorkspace.byteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
      + RowFilter.byteCount(columns: layout.columns, workers: SolverWorkspace.workers(threads))
      + anglesMax * MemoryLayout<Float>.stride
  }

  /// Zeroes the slices, unless they are to be kept: an update replaces them anyway.
  package func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], executor: some Executor
  ) {
    if !keeping { layout.clear(blocks, of: volume, executor) }
  }

  /// Writes the reconstruction of `blocks` into `next`; `volume` is not read, and further iterations would change
  /// nothing. See `WindowSolver`.
  package func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual {
    let window = WindowData(sinogram: sinogram, slots: slots, blocks: blocks, angles: angles)
    memory.requireRoom(for: window, of: layout, iterations: iterations)
    workspace.prepare(angles) { weights = angularWeights(angles.map(\.theta), period: layout.period).map(Float.init) }
    let pairs = (angles.count + 1) / 2
    executor.share(count: blocks.count * pairs, workers: min(executor.width, workspace.tiles.workers)) { worker, item in
      filter(item % pairs, of: window, index: item / pairs, worker: worker)
    }
    workspace.back(blocks: blocks, executor) { TileTarget(next: next + layout.pixelOffset(block: $0)) }
    clearOutside(next, blocks, executor)
    let residual = memory.residual(layout: layout, blocks: blocks, angles: angles.count)
    return Residual(residualSquared: residual.dataSquared, dataSquared: residual.dataSquared)
  }

  /// Zeroes what the mask leaves out.
  private func clearOutside(_ next: UnsafeMutableRawPointer, _ blocks: Range<Int>, _ executor: some Executor) {
    executor.forEach(count: blocks.count * layout.columns) { item in
      let block = blocks.lowerBound + item / layout.columns, row = item % layout.columns
      let shape = layout.shape(block: block), pixel = shape.pixelByteCount, inside = workspace.mask.columns(row: row)
      let line = next + layout.pixelOffset(block: block) + row * shape.volumePitch * pixel
      for columns in [0..<inside.lowerBound, inside.upperBound..<layout.columns] {
        (line + columns.lowerBound * pixel).initializeMemory(as: UInt8.self, repeating: 0, count: columns.count * pixel)
      }
    }
  }

  /// memory.residuals = Δθ (h ∗ b) for two angles of block `index` of the window.
  private func filter(_ pair: Int, of window: WindowData, index: Int, worker: Int) {
    let first = workspace.row(of: window, index: index, angle: 2 * pair)
    let second =
      2 * pair + 1 < window.angles.count ? workspace.row(of: window, index: index, angle: 2 * pair + 1) : nil
    // Filtered rows reach beyond what is measured.
    for row in [first, second].compactMap({ $0 }) {
      layout.clearMargins(of: row.scratchStart, block: row.block)
      workspace.kernels.dataSums(row.data, row.shape, row.sums)
    }
    for lane in stride(from: 0, to: first.shape.lanes, by: RowFilter.lanes) {
      let offset = lane * MemoryLayout<Float>.stride
      filter.apply(
        first.dataStart + offset, second.map { $0.dataStart + offset }, pitch: first.shape.pixelByteCount,
        into: (first.scratchStart + offset, second.map { $0.scratchStart + offset }),
        weights: (weights[first.angle], second.map { weights[$0.angle] } ?? 0), worker: worker)
    }
  }
}
