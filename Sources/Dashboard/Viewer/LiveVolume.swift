import KernelTypes
import Run
import ScanPlan
import Viewing

/// A volume of a run while it is made.
final class LiveVolume: ViewedVolume {
  private let view: RunView
  private let content: RunView.Content

  init(_ view: RunView, _ content: RunView.Content) { (self.view, self.content) = (view, content) }

  var name: String { view.run.prefix(8) + (content == .denoised ? "-denoised" : "") }
  var slices: Int { view.slices }
  var columns: Int { view.columns }
  var voxelSizeMillimetres: Double? { view.plan.pixelSizeMillimetres }
  let unit = "1/pixel"
  let isLive = true
  let axes = CutAxis.allCases

  /// The run's identifier and which of its volumes it is.
  var identity: UInt64 {
    view.run.utf8.reduce(content == .denoised ? 1 : 0) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  var generations: [UInt64] {
    content == .denoised
      ? [UInt64(view.denoisedSlices ?? 0)] + (view.denoisedGeneration.map { [$0] } ?? []) : view.generations
  }

  func plane(_ axis: CutAxis, at index: Int, edgeMax: Int) throws(PlaneMissing) -> Plane {
    let cut =
      switch content {
      case .reconstructed: view.cut(axis, at: index, edgeMax: edgeMax)
      case .denoised: view.denoisedCut(axis, at: index, edgeMax: edgeMax)
      }
    guard let cut else { throw .notNow }
    return Plane(columns: cut.columns, rows: cut.rows, values: cut.values, generations: cut.generations)
  }
}
