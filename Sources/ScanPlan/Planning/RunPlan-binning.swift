import KernelTypes
package import RunModel
import Stages
import Tomography

// The volume while the scan runs, where its updates are made of binned projections.
extension RunPlan {
  /// Rows, and columns, of a projection that become one; nil where updates are made of all.
  private var liveFactor: Int? { scan.liveBinning.exponent > 0 ? 1 << scan.liveBinning.exponent : nil }

  /// How the detector lies beside the slices of updates.
  var windowGeometry: ScanGeometry { liveFactor.map { geometry.binned(by: $0) } ?? geometry }

  /// How worker `partition`'s slices lie in memory while the scan runs; nil where that is as in the end.
  package func liveLayout(ofWorker partition: Int) -> LiveLayout? {
    liveBinning(ofWorker: partition)?.layout
  }

  /// How they lie while it is behind; nil where the ladder has no coarse grid.
  package func coarseLayout(ofWorker partition: Int) -> LiveLayout? { coarseBinning(ofWorker: partition)?.layout }

  /// How they lie then, whichever way.
  func windowLayout(ofWorker partition: Int) -> SliceLayout {
    liveLayout(ofWorker: partition)?.layout ?? layout(ofWorker: partition)
  }

  /// Voxels of all slices along one edge, of an update: what a projection of its window has.
  var windowPixels: Int {
    let rows = liveFactor.map { LiveLayout.rows(of: shape.rows, factor: $0) } ?? shape.rows
    return rows * windowGeometry.columns
  }

  /// What worker `partition` makes updates of; nil where that is projections as they are.
  func liveBinning(ofWorker partition: Int) -> LiveBinning? {
    liveFactor.map { liveBinning(by: $0, ofWorker: partition) }
  }

  /// What it makes them of while it is behind; nil where the ladder has no coarse grid.
  func coarseBinning(ofWorker partition: Int) -> LiveBinning? {
    windows.step > 0 && scan.ladder.coarsens ? liveBinning(by: 2 * (liveFactor ?? 1), ofWorker: partition) : nil
  }

  private func liveBinning(by factor: Int, ofWorker partition: Int) -> LiveBinning {
    let range = placement.workers[partition].rows, first = range.lowerBound
    precondition(first % factor == 0, "a worker's rows begin at \(first), binned by \(factor)")
    let count = LiveLayout.rows(of: range.count, factor: factor), rows = first / factor..<first / factor + count
    let binned = geometry.binned(by: factor)
    let about: @Sendable (Double) -> [ParallelBeam] = { [plan = self] axis in
      plan.geometry(about: axis).binned(by: factor).beams(rows: rows)
    }
    return LiveBinning(
      layout: LiveLayout(layout: binned.layout(rows: count), factor: factor), beams: binned.beams(rows: rows),
      beamsAbout: findsAxis ? about : nil)
  }

  /// What is to be said of it in words; nil where nothing is.
  package var liveWords: String? {
    liveFactor.map { "updates of \($0) × \($0) pixels as one" }
  }
}
