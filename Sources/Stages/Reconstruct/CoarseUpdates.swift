import KernelTypes
import RunModel
import Tomography

/// Updates while a worker is behind: of projections that are binned once more, on slices of half the columns and rows.
final class CoarseUpdates {
  let grid: CoarseGrid
  /// Between updates of spread windows; nil for sliding ones.
  let smoothing: WindowSmoothing?
  /// Nil before the axis is known.
  private(set) var solver: (any WindowSolver)?
  private let binning: LiveBinning
  private let method: Method
  private let anglesMax: Int
  private let threads: Int
  private var beams: [ParallelBeam]

  /// `makeSolver` makes what updates them.
  init(_ binning: LiveBinning, _ configuration: ReconstructStage.Configuration, threads: Int) {
    self.binning = binning
    self.threads = threads
    method = configuration.methods.window
    anglesMax = configuration.windowAnglesMax
    grid = CoarseGrid(fine: configuration.windowLayout, coarse: binning.layout.layout, method: method)
    smoothing = configuration.windows.spread == nil ? nil : method.smoothing(layout: grid.coarse, threads: threads)
    beams = binning.beams
  }

  /// Makes what updates the coarse slices, about the axis as it is known.
  func makeSolver() {
    solver = nil
    solver = method.solver(layout: grid.coarse, beams: beams, anglesMax: anglesMax, threads: threads)
  }

  /// Takes the axis, in columns of a projection, for the next solver.
  func turn(about axis: Double) {
    if let about = binning.beamsAbout { beams = about(axis) }
  }

  /// Bytes of its solver, what smooths, and line integrals in so many slots.
  static func byteCount(
    _ binning: LiveBinning, _ configuration: ReconstructStage.Configuration, slots: Int, threads: Int
  ) -> Int {
    guard slots > 0 else { return 0 }
    let layout = binning.layout.layout, areMany = binning.beams.count > 1, method = configuration.methods.window
    let solver = method.scratchByteCount(
      layout: layout, anglesMax: configuration.windowAnglesMax, blocksMax: areMany ? 1 : layout.blockCount,
      threads: threads)
    return (areMany ? layout.blockCount : 1) * solver
      + (configuration.windows.spread == nil ? 0 : method.smoothingByteCount(layout: layout, threads: threads))
      + SinogramBuffer.byteCount(layout: layout, blocks: layout.blockCount, slots: slots)
  }
}
