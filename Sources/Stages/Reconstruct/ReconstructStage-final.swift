import Host
import KernelTypes
import RunModel
import Tomography

extension ReconstructStage {
  /// Iterates over all projections of the scan, one block of slices after the other: the rows of a block are read back
  /// from the topic, so that a worker needs memory for one block's sinogram and not for the whole scan's, and those of
  /// the next one while it iterates. Where blocks have few bytes, some are read at once. A successor goes on behind the
  /// blocks that its predecessor completed.
  func runFinalIterations(iterations: Int, subsets: Int, cursor: UInt64) throws {
    try checkFields()
    try recallProjections()
    let shares = angularShares(applied.all.map(\.theta), period: configuration.layout.period)
    let angles = applied.all.enumerated().map { WindowAngle(theta: $1.theta, slot: $0, share: shares?[$0] ?? 1) }
    corrections.startOver(nonNegative: configuration.methods.final.needsNonNegative)
    try listenToAll()
    sealNewest()
    switch configuration.methods.final {
    case .iterations(let method, let start):
      let sweep = FinalSweep(
        iterations: iterations, cursor: cursor, angles: angles, groups: self.subsets(of: angles, count: subsets),
        method: method, start: start, solver: finalSolver(method, anglesMax: angles.count),
        initial: start.method.map { finalSolver($0, anglesMax: angles.count) })
      try forEachFinalBlock(nil) { try iterate($0, $1, sweep) }
    case .subsets(var options, let padding):
      (options.sweeps, options.subsets) = (iterations, subsets)
      let run = try subsetRun(options, padding, angles: angles, cursor: cursor)
      try forEachFinalBlock(run.slabs) { try iterate($0, $1, run) }
    }
  }

  /// Has `body` make each block that is not complete yet, of its sinogram or its slab's; it gives the update that
  /// completed it.
  private func forEachFinalBlock(
    _ slabs: SlabCorrections?, _ body: (_ block: Int, _ sinogram: SinogramBuffer) throws -> UpdateEvent?
  ) throws {
    let layout = configuration.layout, current = volume.newest
    let swept = try volume.finalProgress()
    if let swept { corrections.resumeCounting(from: swept.update.pixels) }
    var last = swept?.update
    let passes = Self.passes(configuration, from: swept?.blocks ?? 0)
    let sinograms = (0..<(passes.first?.count ?? 0)).map { _ in
      SinogramBuffer(layout: configuration.finalLayout, blocks: 1, slots: applied.count)
    }
    let readAhead = try RowReadAhead(
      projections, applied.all, passes: passes.map { rows(of: $0, slabs) }, from: configuration.rows.lowerBound,
      columns: layout.measured.count, threads: executor.width)
    defer { readAhead.stop() }
    for pass in passes {
      takeIdleCores()
      try gather(pass, slabs, from: readAhead, into: sinograms)
      for (block, sinogram) in zip(pass, sinograms) {
        if volume.live != nil || coarse != nil { volume.clearNext(block: block) }
        if configuration.removesStripes { removeStripes(rows(of: block..<block + 1, slabs).count, from: sinogram) }
        last = try body(block, sinogram) ?? last
        try check(block..<block + 1, of: current)
        sealNext(block..<block + 1, in: layout)
        if let last { volume.markFinal(blocks: block + 1, by: last) }
        FaultPoint.blockSwept.reach()
      }
    }
    if let last { volume.publish(last, isSealed: true) }
  }

  /// The rows that some blocks are made of, counted from the worker's first one.
  private func rows(of blocks: Range<Int>, _ slabs: SlabCorrections?) -> Range<Int> {
    slabs.map { $0.computed(block: blocks.lowerBound) } ?? configuration.layout.rows(of: blocks)
  }

  /// What the final iterations of all blocks have in common.
  private struct FinalSweep {
    let iterations: Int
    let cursor: UInt64
    let angles: [WindowAngle]
    let groups: [[WindowAngle]]
    let method: Method
    let start: FinalMethod.Start
    let solver: any WindowSolver
    let initial: (any WindowSolver)?
  }

  /// All iterations over one block, each reported; gives the last one.
  private func iterate(_ block: Int, _ sinogram: SinogramBuffer, _ sweep: FinalSweep) throws -> UpdateEvent? {
    let blocks = block..<block + 1
    var source = begin(
      sweep.solver, sweep.method, sinogram, blocks: blocks, angles: sweep.angles, with: sweep.initial,
      anew: sweep.start.isOwn || startsOver)
    if source == volume.newest.base, let coarse, volume.isCoarse(volume.newest) {
      coarse.grid.prolong(source, into: volume.nextBase, blocks: blocks, executor: executor)
      revive(volume.nextBase, sweep.method, sweep.solver, sinogram, blocks: blocks, angles: sweep.angles)
      source = UnsafeRawPointer(volume.nextBase)
    }
    var last: UpdateEvent?
    for iteration in 0..<sweep.iterations {
      takeIdleCores()
      let start = Machine.monotonicNanoseconds
      let residual = iterate(
        sweep.solver, from: source, sinogram, blocks: blocks, groups: sweep.groups, iterations: 1)
      try check(residual, of: volume.newest.number + 1)
      source = UnsafeRawPointer(volume.nextBase)
      let update = finalUpdate(
        iteration, of: block, residual, duration: Machine.monotonicNanoseconds - start, cursor: sweep.cursor)
      if try report(update) { didWork() }
      last = update
    }
    return last
  }

  /// The report of an iteration over a block, which took so many nanoseconds.
  func finalUpdate(
    _ index: Int, of block: Int, _ residual: Residual, duration: UInt64, cursor: UInt64, fits: [RowFit] = []
  ) -> UpdateEvent {
    let rows = configuration.layout.rows(of: block..<block + 1), first = configuration.rows.lowerBound
    return UpdateEvent(
      phase: .final, index: index, iterations: 1, cursor: cursor, generation: volume.newest.number + 1,
      projections: 0..<applied.count, rows: first + rows.lowerBound..<first + rows.upperBound,
      residualSquared: residual.residualSquared, dataSquared: residual.dataSquared, duration: duration,
      pixels: corrections.pixelCounts(ofBlocks: block + 1), fits: fits)
  }

  private func finalSolver(_ method: Method, anglesMax: Int) -> any WindowSolver {
    method.solver(
      layout: configuration.layout, beams: beams, anglesMax: anglesMax, blocksMax: 1,
      threads: threadsMax)
  }

  /// The blocks from `first` on, those together whose rows are read at once.
  private static func passes(_ configuration: Configuration, from first: Int) -> [Range<Int>] {
    let count = configuration.layout.blockCount, step = blocksAtOnce(configuration)
    return stride(from: first, to: count, by: step).map { $0..<min($0 + step, count) }
  }

  /// Puts the rows of some blocks, of every projection, into a sinogram each, corrected with all flats and darks of the
  /// scan.
  private func gather(
    _ blocks: Range<Int>, _ slabs: SlabCorrections?, from readAhead: RowReadAhead, into sinograms: [SinogramBuffer]
  ) throws {
    var left = applied.count
    while left > 0 {
      let batch = try readAhead.next(limit: limits.idle)
      for (block, sinogram) in zip(blocks, sinograms) {
        if let slabs {
          slabs.store(batch, block: block, in: sinogram, counting: corrections, executor)
        } else {
          corrections.store(batch, block: block, in: sinogram, executor)
        }
      }
      left -= batch.parts.count
      readAhead.empty()
    }
  }
}

extension FinalMethod.Start {
  /// What makes the volume that iterations start from; nil for none.
  var method: Method? { if case .made(let method) = self { method } else { nil } }

  fileprivate var isOwn: Bool { if case .own = self { true } else { false } }
}
