import Host
import RunModel
import Tomography

// The final iterations by ordered subsets. A block's slices are a function of its projections alone, whatever the
// newest generation is; what the solver has in its memory is saved now and then, so that a successor computes some
// subsets of a block again and not all.
extension ReconstructStage {
  /// What the subsets of all blocks have in common.
  final class SubsetRun {
    let angles: [WindowAngle]
    let cursor: UInt64
    /// Where slices are penalised together with their neighbours.
    let slabs: SlabCorrections?
    var budget = SealBudget(share: SealBudget.stateShare)
    private let beams: [ParallelBeam]
    private let make: (ParallelBeam) -> SubsetSolver
    private var current: (beam: ParallelBeam, solver: SubsetSolver)?

    /// `make` makes the solver for one of `beams`: that of all blocks, or one for each.
    init(
      angles: [WindowAngle], cursor: UInt64, beams: [ParallelBeam], slabs: SlabCorrections?,
      make: @escaping (ParallelBeam) -> SubsetSolver
    ) {
      (self.angles, self.cursor, self.beams, self.slabs, self.make) = (angles, cursor, beams, slabs, make)
    }

    /// A block's number in the solver, which knows one slab at a time, and its slices.
    func place(_ block: Int) -> (block: Int, slab: SubsetSolver.Slab?) {
      slabs.map { (0, $0.slab(block: block)) } ?? (block, nil)
    }

    /// The solver of a block: one at a time has memory.
    func solver(of block: Int) -> SubsetSolver {
      let beam = beams[beams.count == 1 ? 0 : block]
      if let current, current.beam == beam { return current.solver }
      current = nil
      let solver = make(beam)
      current = (beam, solver)
      return solver
    }
  }

  /// The solver for a scan of these angles.
  func subsetRun(
    _ options: SubsetOptions, _ padding: FinalMethod.Padding, angles: [WindowAngle], cursor: UInt64
  ) throws -> SubsetRun {
    let layout = configuration.slabs == nil ? configuration.layout : configuration.finalLayout
    let (padding, threads, slabs) = (try pixels(of: padding), threadsMax, try slabCorrections())
    return SubsetRun(angles: angles, cursor: cursor, beams: beams, slabs: slabs) { beam in
      SubsetSolver(layout: layout, beam: beam, options: options, angles: angles, padding: padding, threads: threads)
    }
  }

  /// All subsets of all sweeps over one block, each sweep reported; gives the last one.
  func iterate(_ block: Int, _ sinogram: SinogramBuffer, _ run: SubsetRun) throws -> UpdateEvent? {
    let solver = run.solver(of: block), generation = volume.newest.number + 1
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
    let solver = run.solver(of: block), byteCount = solver.stateByteCount
    run.budget.spend {
      solver.save(to: states.begin(), executor: executor)
      FaultPoint.subsetHalf.reach()
      executor.forEach(count: states.pieces(of: byteCount).count) { states.seal(piece: $0, of: byteCount) }
      states.save(
        SolverStateRegion.Place(
          generation: volume.newest.number + 1, block: block, step: solver.nextStep, projections: applied.count,
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
    let solver = run.solver(of: block)
    for state in states.states(of: block, generation: generation, projections: applied.count) {
      let place = state.place
      guard place.byteCount == solver.stateByteCount,
        areWhole(states.pieces(of: place.byteCount), { states.isWhole(piece: $0, of: state) }),
        solver.restore(
          from: state.base, block: number, slab: slab, sinogram: sinogram.base, slots: sinogram.slots,
          executor: executor)
      else {
        noticed("a saved subset of the final iterations is not what was written there: going on from one before it")
        continue
      }
      states.keep(state)
      told("going on behind subset \(place.step) of \(solver.stepCount) of block \(block)")
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
