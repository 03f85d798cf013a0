import Host
import KernelTypes
import RunModel
import Tomography

// The updates while the scan runs.
extension ReconstructStage {
  /// Makes the next generation from the newest one and the projections of a window, on the grid that its order says,
  /// and reports it.
  func update(
    index: Int, over ordinals: Range<Int>, _ used: [Int], spread: [WorkerOrder.SpreadProjection], iterations: Int,
    pace: DistributionProgress, cursor: UInt64
  ) throws {
    guard let window, canUpdate(over: ordinals, spread: spread),
      let grid = grid(isCoarse: pace.isCoarse, window.buffer)
    else {
      throw StageError.disorder(
        "update \(index) over \(ordinals) and \(spread.map(\.ordinal)) after \(applied.count) projections"
          + (pace.isCoarse ? ", on a coarse grid" : ""))
    }
    // The volume stays as it is, and nothing is reported; a replay comes to the same.
    if awaitsFlats { return }
    let angles = try angles(over: used, spread: spread), seen = try volume.newestUpdate()?.projections.upperBound ?? 0
    takeIdleCores()
    let start = Machine.monotonicNanoseconds
    let newest = volume.newest
    let layout = grid.layout, blocks = 0..<layout.blockCount
    volume.clearNext(for: layout)
    let source =
      carried(newest, to: grid, isCoarse: pace.isCoarse, angles: angles.all)
      ?? begin(
        grid.solver, configuration.methods.window, grid.sinogram, blocks: blocks, angles: angles.all, anew: startsOver)
    let residual = iterate(
      grid.solver, from: source, grid.sinogram, blocks: blocks, groups: angles.groups, iterations: iterations)
    try check(residual, of: newest.number + 1)
    smooth(grid, after: index, angles: angles.all, seen: ordinals.upperBound)
    let isSealed = budget.isAffordable || checkpoints?.isDueNext == true
    if isSealed { budget.spend { sealNext(blocks, in: layout) } }
    FaultPoint.flipBefore.reach()
    let update = UpdateEvent(
      phase: .window, index: index, iterations: iterations, cursor: cursor, generation: newest.number + 1,
      projections: ordinals, spread: spread.count, isCoarse: pace.isCoarse,
      rows: configuration.rows, residualSquared: residual.residualSquared, dataSquared: residual.dataSquared,
      duration: Machine.monotonicNanoseconds - start, pixels: corrections.pixelCounts)
    volume.publish(update, isSealed: isSealed)
    startsOver = false
    FaultPoint.flipAfter.reach()
    keepSlice(after: update)
    var told = update
    told.timing = timing(of: used, after: seen, level: pace.level)
    if try report(told) { didWork() }
    try checkpoints?.updated(update)
  }

  /// What an update works with.
  struct Grid {
    let layout: SliceLayout
    let solver: any WindowSolver
    let sinogram: SinogramBuffer
    let smoothing: WindowSmoothing?
  }

  /// That of windows, or of half the columns and rows; nil where the run has none, or the axis is not known.
  private func grid(isCoarse: Bool, _ buffer: WindowBuffer) -> Grid? {
    if isCoarse {
      guard let coarse, let solver = coarse.solver, let sinogram = buffer.coarse else { return nil }
      return Grid(layout: coarse.grid.coarse, solver: solver, sinogram: sinogram, smoothing: coarse.smoothing)
    }
    return windowSolver.map {
      Grid(
        layout: configuration.windowLayout, solver: $0, sinogram: buffer.sinogram, smoothing: window?.smoothing)
    }
  }

  /// The newest generation on the other grid, in the next one's place; nil where it lies on the wanted grid already,
  /// and where an update begins with what is its own.
  private func carried(
    _ newest: VolumeRegion.Generation, to grid: Grid, isCoarse: Bool, angles: [WindowAngle]
  ) -> UnsafeRawPointer? {
    guard let coarse, volume.isCoarse(newest) != isCoarse, newest.number > 0, !startsOver else { return nil }
    let next = volume.nextBase, blocks = 0..<grid.layout.blockCount
    if isCoarse {
      coarse.grid.restrict(newest.base, into: next, executor: executor)
    } else {
      coarse.grid.prolong(newest.base, into: next, blocks: blocks, executor: executor)
    }
    revive(next, configuration.methods.window, grid.solver, grid.sinogram, blocks: blocks, angles: angles)
    return UnsafeRawPointer(next)
  }

  /// Raises what came out as zero on another grid, as voxels at the rim do that no voxel there covers: factors would
  /// leave them so for ever.
  func revive(
    _ next: UnsafeMutableRawPointer, _ method: Method, _ solver: any WindowSolver, _ sinogram: SinogramBuffer,
    blocks: Range<Int>, angles: [WindowAngle]
  ) {
    guard !method.startsFromZero else { return }
    solver.start(
      volume: next, keeping: true, sinogram: sinogram.base, slots: sinogram.slots, blocks: blocks, angles: angles,
      executor: executor)
  }
}
