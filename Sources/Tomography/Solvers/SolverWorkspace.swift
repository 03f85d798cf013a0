import Glibc
internal import KernelTypes

/// What a solver of any method works with: the geometry, the kernels, and the memory of an update.
final class SolverWorkspace {
  let layout: SliceLayout
  let mask: DiskMask
  let pass: ProjectionPass
  let tiles: TileScratch
  let memory: UpdateMemory
  private let beam: ParallelBeam
  /// What the plan, and what a solver computes from it, were made for.
  private var prepared: [(theta: Double, share: Float)] = []

  /// Allocates what updates of up to `blocksMax` blocks (default all of the layout), `anglesMax` angles and `threads`
  /// threads (default one for each processor) need. `level` is the x86-64 level of the instructions, the processor's
  /// own if nil. With `skipsOutside` voxels that `diskMask` leaves out hold zeros in every volume: their tiles need no
  /// work.
  init(
    layout: SliceLayout, beam: ParallelBeam, diskMask: Bool, skipsOutside: Bool, anglesMax: Int, blocksMax: Int?,
    threads: Int?, level: Int?
  ) {
    precondition(
      layout.columns == beam.columns, "a layout of \(layout.columns) columns for a detector of \(beam.columns)")
    self.layout = layout
    self.beam = beam
    mask = DiskMask(columns: layout.columns, isDisk: diskMask)
    pass = ProjectionPass(
      layout: layout, kernels: KernelTable(level: level), plan: AnglePlan(capacity: anglesMax),
      isDisk: diskMask && skipsOutside)
    tiles = TileScratch(layout: layout, workers: SolverWorkspace.workers(threads))
    memory = UpdateMemory(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
    prepared.reserveCapacity(anglesMax)
  }

  var kernels: KernelTable { pass.kernels }

  /// Bytes that `init` allocated.
  var byteCount: Int {
    SolverWorkspace.byteCount(
      layout: layout, anglesMax: pass.plan.capacity, blocksMax: memory.blocks, threads: tiles.workers)
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func byteCount(layout: SliceLayout, anglesMax: Int, blocksMax: Int?, threads: Int?) -> Int {
    UpdateMemory.byteCount(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
      + TileScratch.byteCount(layout: layout, workers: workers(threads))
      + AnglePlan.byteCount(capacity: anglesMax) + anglesMax * MemoryLayout<(Double, Float)>.stride
  }

  /// Workers of a solver for `threads` threads, one for each processor where it is not told how many.
  static func workers(_ threads: Int?) -> Int { threads ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Prepares the plan for `angles`, then does `work`. Both depend on thetas and shares alone, so neither is done again
  /// for the same ones: final iterations need it once.
  func prepare(_ angles: [WindowAngle], _ work: () -> Void) {
    let isPrepared = prepared.elementsEqual(angles) { $0.theta == $1.theta && $0.share == $1.share }
    guard !isPrepared else { return }
    pass.plan.prepare(angles, beam: beam) { $0 }
    work()
    prepared.removeAll(keepingCapacity: true)
    prepared.append(contentsOf: angles.lazy.map { ($0.theta, $0.share) })
  }

  /// Fills the scales of `memory`: `weight` turns the column sum of each voxel that takes part, over `angles`, by
  /// default the plan's, into its scale; the others have 0.
  @inline(__always) func scaleColumns(
    over angles: UnsafeBufferPointer<BackAngle>? = nil, _ executor: some Executor, _ weight: (_ sum: Float) -> Float
  ) {
    let angles = angles ?? pass.plan.back
    executor.forEach(count: layout.columns) { row in
      let scales = memory.scales(row: row)
      kernels.columnSums(row, angles, layout.columns, layout.measured, scales)
      let inside = mask.columns(row: row)
      for column in 0..<layout.columns {
        let sum = scales[column]
        scales[column] = sum > Float(sumMin) && inside.contains(column) ? weight(sum) : 0
      }
    }
  }

  /// Iterations over a prepared window: projects, has `compare` turn each projected row into what is backprojected, and
  /// `correct` write `next` from the volume it is given. The residual of the last iteration, before its update.
  func iterate(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, window: WindowData, iterations: Int,
    executor: some Executor, compare: (WindowRow) -> Void, correct: (_ source: UnsafeRawPointer) -> Void
  ) -> Residual {
    var source = volume
    for _ in 0..<iterations {
      pass.forward(
        volume: source, sinogram: memory.residuals, slots: memory.anglesMax, blocks: window.blocks, executor: executor)
      forEachRow(of: window, executor) { row in
        layout.clearUnmeasured(of: row.scratchStart, block: row.block)
        compare(row)
      }
      correct(source)
      source = UnsafeRawPointer(next)
    }
    return memory.residual(layout: layout, blocks: window.blocks, angles: window.angles.count)
  }

  /// Aᵀ of what `compare` left, tile by tile: see `ProjectionPass.back`.
  func back(
    blocks: Range<Int>, prefetching volume: UnsafeRawPointer, _ executor: some Executor,
    finish: (_ block: Int, _ tile: Tile, _ sums: UnsafeRawPointer) -> Void
  ) {
    pass.back(
      sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, prefetching: volume, scratch: tiles,
      executor: executor, finish: finish)
  }

  /// The same, written to `target`.
  func back(blocks: Range<Int>, _ executor: some Executor, target: (_ block: Int) -> TileTarget) {
    pass.back(
      sinogram: memory.residuals, slots: memory.anglesMax, blocks: blocks, scratch: tiles, executor: executor,
      target: target)
  }

  /// Calls `body` with each row of a window.
  func forEachRow(of window: WindowData, _ executor: some Executor, _ body: (WindowRow) -> Void) {
    executor.forEach(count: window.blocks.count * window.angles.count) { item in
      body(row(of: window, index: item / window.angles.count, angle: item % window.angles.count))
    }
  }

  /// The row of block `index` of the window and of `angle`.
  func row(of window: WindowData, index: Int, angle: Int) -> WindowRow {
    let blocks = window.blocks, block = blocks.lowerBound + index, slot = window.angles[angle].slot
    return WindowRow(
      block: block, angle: angle, shape: layout.measuredShape(block: block),
      dataStart: window.sinogram + layout.binOffset(block: block, of: blocks, slot: slot, slots: window.slots),
      scratchStart: memory.residuals
        + layout.binOffset(block: block, of: blocks, slot: angle, slots: memory.anglesMax),
      measuredOffset: layout.measuredOffset(block: block), sums: memory.sums(block: index, angle: angle))
  }
}

/// What an update is given: a sinogram that holds exactly `blocks`, with `slots` slots each, and the window's angles.
struct WindowData {
  let sinogram: UnsafeRawPointer
  let slots: Int
  let blocks: Range<Int>
  let angles: [WindowAngle]
}

/// A block's bins at one angle.
struct WindowRow {
  let block: Int
  /// Place in the window's angles.
  let angle: Int
  /// Its columns are those of the detector.
  let shape: KernelShape
  /// Bin 0 of the data, and of the same row in the update's memory.
  let dataStart: UnsafeRawPointer, scratchStart: UnsafeMutableRawPointer
  /// Bytes from there to the first bin that is measured.
  let measuredOffset: Int
  /// Where the sums of its bins go, two for each lane.
  let sums: UnsafeMutablePointer<Double>

  /// The first bin that is measured, of each.
  var data: UnsafeRawPointer { dataStart + measuredOffset }
  var scratch: UnsafeMutableRawPointer { scratchStart + measuredOffset }
}
