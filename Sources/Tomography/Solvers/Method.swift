package import KernelTypes

/// A reconstruction method with all that can be chosen about it.
package enum Method: Sendable, Equatable {
  /// Simultaneous iterative reconstruction.
  case sirt(SIRTOptions)
  /// Expectation maximisation, plain or penalised; with ordered subsets of the angles it is OS-EM.
  case expectationMaximisation(EMOptions)
  /// Filtered backprojection.
  case filteredBackprojection(FBPOptions)
  /// Conjugate gradients for least squares.
  case conjugateGradients(CGLSOptions)

  /// A solver for updates of up to `blocksMax` blocks (default all of the layout), `anglesMax` angles and `threads`
  /// threads. `level` is the x86-64 level of the instructions, the processor's own if nil.
  package func solver(
    layout: SliceLayout, beam: ParallelBeam, anglesMax: Int, blocksMax: Int? = nil, threads: Int, level: Int? = nil
  ) -> any WindowSolver {
    switch self {
    case .sirt(let options):
      SIRTSolver(
        layout: layout, beam: beam, options: options, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads,
        level: level)
    case .expectationMaximisation(let options):
      EMSolver(
        layout: layout, beam: beam, options: options, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads,
        level: level)
    case .filteredBackprojection(let options):
      FBPSolver(
        layout: layout, beam: beam, options: options, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads,
        level: level)
    case .conjugateGradients(let options):
      CGLSSolver(
        layout: layout, beam: beam, options: options, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads,
        level: level)
    }
  }

  /// The same for blocks that have a beam each, or one that is that of all.
  package func solver(
    layout: SliceLayout, beams: [ParallelBeam], anglesMax: Int, blocksMax: Int? = nil, threads: Int
  ) -> any WindowSolver {
    guard beams.count > 1 else {
      return solver(layout: layout, beam: beams[0], anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
    }
    return BlockSolvers(beams: beams, blocksMax: blocksMax ?? layout.blockCount, layout: layout) { beam in
      solver(layout: layout, beam: beam, anglesMax: anglesMax, blocksMax: 1, threads: threads)
    }
  }

  /// Bytes that `solver` with the same arguments would allocate.
  package func scratchByteCount(layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, threads: Int) -> Int {
    switch self {
    case .sirt:
      SIRTSolver.scratchByteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
    case .expectationMaximisation(let options):
      EMSolver.scratchByteCount(
        layout: layout, options: options, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
    case .filteredBackprojection:
      FBPSolver.scratchByteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
    case .conjugateGradients:
      CGLSSolver.scratchByteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
    }
  }

  /// What smooths the volume between the updates of spread windows, for as many threads; nil where the method has no
  /// such windows.
  package func smoothing(
    layout: SliceLayout, threads: Int, level: Int? = nil, schedule: WindowSmoothing.Schedule = .standard
  ) -> WindowSmoothing? {
    guard case .sirt(let options) = self else { return nil }
    return WindowSmoothing(layout: layout, options: options, schedule: schedule, threads: threads, level: level)
  }

  /// Bytes that `smoothing` with the same arguments would allocate.
  package func smoothingByteCount(layout: SliceLayout, threads: Int) -> Int {
    guard case .sirt = self else { return 0 }
    return WindowSmoothing.byteCount(layout: layout, threads: threads)
  }

  /// Whether a volume of zeros is where the method begins.
  package var startsFromZero: Bool {
    if case .expectationMaximisation = self { false } else { true }
  }
}
