import Host
import RunModel
import Tomography

// The final iterations by ordered subsets. A block's slices are a function of its projections alone, whatever the
// newest generation is; what the solver has in its memory is saved now and then, so that a successor computes some
// subsets of a block again and not all.
extension ReconstructStage {
  /// What the subsets of all blocks have in common.
  final class SubsetRun {
    let solver: SubsetSolver
    let angles: [WindowAngle]
    let cursor: UInt64
    /// Where slices are penalised together with their neighbours.
    let slabs: SlabCorrections?
    var budget = SealBudget(share: SealBudget.stateShare)

    init(_ solver: SubsetSolver, angles: [WindowAngle], cursor: UInt64, slabs: SlabCorrections?) {
      (self.solver, self.angles, self.cursor, self.slabs) = (solver, angles, cursor, slabs)
    }

    /// A block's number in the solver, which knows one slab at a time, and its slices.
    func place(_ block: Int) -> (block: Int, slab: SubsetSolver.Slab?) {
      slabs.map { (0, $0.slab(block: block)) } ?? (block, nil)
    }
  }

  /// The solver for a scan of these angles.
  func subsetRun(
    _ options: SubsetOptions, _ padding: FinalMethod.Padding, angles: [WindowAngle], cursor: UInt64
  ) throws -> SubsetRun {
    let solver = SubsetSolver(
      layout: configuration.slabs == nil ? configuration.layout : configuration.finalLayout,
      beam: configuration.beam, options: options, angles: angles, padding: try pixels(of: padding), threads: threadsMax)
    return SubsetRun(solver, angles: angles, cursor: cursor, slabs: try slabCorrections())
  }

  /// All subsets of all sweeps over one block, each sweep reported; gives the last one.
  func iterate(_ block: Int, _ sinogram: SinogramBuffer, _ run: SubsetRun) throws -> UpdateEvent? {
    let solver = run.solver, generation = volume.newest.number + 1
    let sums = goOn(block, sinogram, run)
    if sums == nil {
      let noise =
        run.slabs.map { $0.noise(of: block, sinogram, run.angles) }
        ?? corrections.noise(of: block, sinogram, run.angles)
      let (number, slab) = run.place(block)
      solver.begin(
        block: number, slab: slab, sinogram: sinogram.base, slots: sinogram.slots, noise: noise, executor: executor)
    }
    var residual = sums ?? .zero, last: UpdateEvent?
    var start = Machine.monotonicNanoseconds
    while solver.nextStep < solver.stepCount {
      takeIdleCores()
      let step = solver.nextStep, sweep = solver.sweep(ofStep: step)
      residual += solver.step(executor: executor)
      try check(residual, of: generation)
      let isLast = solver.nextStep == solver.stepCount
      if isLast || solver.sweep(ofStep: solver.nextStep) != sweep {
        let now = Machine.monotonicNanoseconds
        let update = finalUpdate(
          sweep, of: block, residual, duration: now - start, cursor: run.cursor,
          fits: isLast ? solver.report.map(RowFit.init) : [])
        if try report(update) { didWork() }
        (last, residual, start) = (update, .zero, now)
      }
      // What a sweep came to is reported before anybody goes on behind it.
      if !isLast { save(block, residual, run) }
    }
    solver.finish(into: volume.nextBase, layout: configuration.layout, block: block, executor: executor)
    return last
  }

  /// Saves what the solver knows, if there was time enough since it was done.
  private func save(_ block: Int, _ sums: Residual, _ run: SubsetRun) {
    guard let states = solverStates, run.budget.isAffordable else { return }
    let byteCount = run.solver.stateByteCount
    run.budget.spend {
      run.solver.save(to: states.begin(), executor: executor)
      FaultPoint.subsetHalf.reach()
      executor.forEach(count: states.pieces(of: byteCount).count) { states.seal(piece: $0, of: byteCount) }
      states.save(
        SolverStateRegion.Place(
          generation: volume.newest.number + 1, block: block, step: run.solver.nextStep, projections: applied.count,
          byteCount: byteCount, residualSquared: sums.residualSquared, dataSquared: sums.dataSquared))
    }
    FaultPoint.subsetSaved.reach()
  }

  /// Goes on behind the newest saved subset of a block that is what a predecessor saved: what its sweep had come to.
  /// Nil where there is none; then nothing was done.
  private func goOn(_ block: Int, _ sinogram: SinogramBuffer, _ run: SubsetRun) -> Residual? {
    let generation = volume.newest.number + 1, (number, slab) = run.place(block)
    // Where the generation came out as no number, nothing that led there is gone on with.
    guard let states = solverStates, volume.suspect.generation != generation else { return nil }
    for state in states.states(of: block, generation: generation, projections: applied.count) {
      let place = state.place
      guard place.byteCount == run.solver.stateByteCount,
        areWhole(states.pieces(of: place.byteCount), { states.isWhole(piece: $0, of: state) }),
        run.solver.restore(
          from: state.base, block: number, slab: slab, sinogram: sinogram.base, slots: sinogram.slots,
          executor: executor)
      else {
        noticed("a saved subset of the final iterations is not what was written there: going on from one before it")
        continue
      }
      states.keep(state)
      told("going on behind subset \(place.step) of \(run.solver.stepCount) of block \(block)")
      return Residual(residualSquared: place.residualSquared, dataSquared: place.dataSquared)
    }
    return nil
  }
}

extension Residual {
  static let zero = Residual(residualSquared: 0, dataSquared: 0)

  static func += (sum: inout Residual, other: Residual) {
    sum = Residual(
      residualSquared: sum.residualSquared + other.residualSquared, dataSquared: sum.dataSquared + other.dataSquared)
  }
}

extension RowFit {
  init(_ report: SubsetReport) {
    self.init(
      noise: report.noise, weight: report.weight, scale: report.scale, residual: report.residualOverNoise ?? .nan,
      isFloat: report.isFloat, outgrownCount: report.outgrownCount)
  }
}
