import Glibc
package import KernelTypes

/// Filtered backprojection: x = Σ Δθ Aᵀ(h ∗ b) over the angles of a window, h a windowed ramp (`FBPOptions.Filter`) and
/// Δθ the part of half a turn that a projection stands for (`angularWeights`). The sum over all projections of a scan
/// is its reconstruction, that over the last half turn a quick look.
///
/// The interpolation is that of Joseph's transpose. An update does not look at the volume that was there, so its
/// residual is that of a zero volume: ‖b‖.
package final class FBPSolver: WindowSolver {
  private let layout: SliceLayout
  private let beam: ParallelBeam
  private let mask: DiskMask
  private let pass: ProjectionPass
  private let filter: RowFilter
  private let tiles: TileScratch
  private let memory: SIRTMemory
  private var weights: [Float] = []
  /// The thetas that the plan and the weights were made for.
  private var prepared: [Double] = []

  /// Allocates what updates of up to `blocksMax` blocks (default all of the layout), `anglesMax` angles and `threads`
  /// threads (default one for each processor) need. `level` is the x86-64 level of the instructions, the processor's
  /// own if nil.
  package init(
    layout: SliceLayout, beam: ParallelBeam, options: FBPOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil,
    level: Int? = nil
  ) {
    precondition(
      layout.columns == beam.columns, "a layout of \(layout.columns) columns for a detector of \(beam.columns)")
    self.layout = layout
    self.beam = beam
    mask = DiskMask(columns: layout.columns, isDisk: options.diskMask)
    pass = ProjectionPass(layout: layout, kernels: KernelTable(level: level), plan: AnglePlan(capacity: anglesMax))
    tiles = TileScratch(layout: layout, workers: threads ?? FBPSolver.processorCount)
    filter = RowFilter(columns: layout.columns, filter: options.filter, workers: tiles.workers)
    memory = SIRTMemory(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int {
    FBPSolver.scratchByteCount(
      layout: layout, anglesMax: pass.plan.capacity, blocksMax: memory.blocks, threads: tiles.workers)
  }

  /// Bytes that `init` with the same arguments would allocate.
  package static func scratchByteCount(layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil)
    -> Int
  {
    let workers = threads ?? processorCount
    return SIRTMemory.byteCount(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
      + TileScratch.byteCount(layout: layout, workers: workers)
      + RowFilter.byteCount(columns: layout.columns, workers: workers)
      + AnglePlan.byteCount(capacity: anglesMax) + anglesMax
      * (MemoryLayout<Double>.stride + MemoryLayout<Float>.stride)
  }

  /// Zeroes the slices, unless they are to be kept: an update replaces them anyway.
  package func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle],
    executor: some Executor
  ) {
    if !keeping { layout.clear(blocks, of: volume, executor) }
  }

  /// Writes the reconstruction of `blocks` into `next`; `volume` is not read, and further iterations would change
  /// nothing. See `WindowSolver`.
  package func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual {
    memory.requireRoom(for: blocks, of: layout, angles: angles, slots: slots, iterations: iterations)
    prepare(angles)
    let pairs = (angles.count + 1) / 2
    executor.share(count: blocks.count * pairs, workers: min(executor.width, tiles.workers)) { worker, item in
      filter(item % pairs, index: item / pairs, of: blocks, sinogram, slots: slots, angles: angles, worker: worker)
    }
    pass.back(
      sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, scratch: tiles, executor: executor,
      target: { TileTarget(next: next + layout.pixelOffset(block: $0)) })
    clearOutside(next, blocks, executor)
    let residual = memory.residual(layout: layout, blocks: blocks, angles: angles.count)
    return Residual(residualSquared: residual.dataSquared, dataSquared: residual.dataSquared)
  }

  /// Zeroes what the mask leaves out.
  private func clearOutside(_ next: UnsafeMutableRawPointer, _ blocks: Range<Int>, _ executor: some Executor) {
    executor.forEach(count: blocks.count * layout.columns) { item in
      let block = blocks.lowerBound + item / layout.columns, row = item % layout.columns
      let shape = layout.shape(block: block), pixel = shape.pixelByteCount, inside = mask.columns(row: row)
      let line = next + layout.pixelOffset(block: block) + row * shape.volumePitch * pixel
      for columns in [0..<inside.lowerBound, inside.upperBound..<layout.columns] {
        (line + columns.lowerBound * pixel).initializeMemory(as: UInt8.self, repeating: 0, count: columns.count * pixel)
      }
    }
  }

  private func prepare(_ angles: [WindowAngle]) {
    let thetas = angles.map(\.theta)
    guard prepared != thetas else { return }
    pass.plan.prepare(angles, beam: beam) { $0 }
    weights = angularWeights(thetas).map(Float.init)
    prepared = thetas
  }

  /// memory.residuals = Δθ (h ∗ b) for two angles of a block.
  private func filter(
    _ pair: Int, index: Int, of blocks: Range<Int>, _ sinogram: UnsafeRawPointer, slots: Int, angles: [WindowAngle],
    worker: Int
  ) {
    let block = blocks.lowerBound + index, shape = layout.shape(block: block)
    let (first, second) = (2 * pair, 2 * pair + 1 < angles.count ? 2 * pair + 1 : nil)
    func source(_ angle: Int) -> UnsafeRawPointer {
      sinogram + layout.binOffset(block: block, of: blocks, slot: angles[angle].slot, slots: slots)
    }
    func target(_ angle: Int) -> UnsafeMutableRawPointer {
      memory.residuals + layout.binOffset(block: block, of: blocks, slot: angle, slots: memory.anglesMax)
    }
    for angle in [first, second].compactMap({ $0 }) {
      layout.clearMargins(of: target(angle), block: block)
      pass.kernels.dataSums(source(angle), shape, memory.sums(block: index, angle: angle))
    }
    for lane in stride(from: 0, to: shape.lanes, by: RowFilter.lanes) {
      let offset = lane * MemoryLayout<Float>.stride
      filter.apply(
        source(first) + offset, second.map { source($0) + offset }, pitch: shape.pixelByteCount,
        into: (target(first) + offset, second.map { target($0) + offset }),
        weights: (weights[first], second.map { weights[$0] } ?? 0),
        worker: worker)
    }
  }
}
