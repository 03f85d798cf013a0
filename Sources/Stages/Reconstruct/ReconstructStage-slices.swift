import KernelTypes
import RunModel

// What control compares.
extension ReconstructStage {
  /// Keeps the monitored slice of the newest generation, which `update` made, if it is one to look at and no
  /// predecessor has kept it. On a coarse grid slices are more alike than those of others: none is kept, so that a
  /// machine that is slow ends no scan.
  func keepSlice(after update: UpdateEvent) {
    let newest = volume.newest
    guard let slices, !update.isCoarse, slices.keeps(update: update.index), !slices.isKept(update: update.index),
      newest.number == update.generation
    else { return }
    slices.keep(
      update: update.index, projections: update.projections.upperBound, acquiredAt: newestAcquiredAt
    ) { [layout = volume.windowLayout] slice in
      layout.copySlice(row: MonitoredSlice.row(of: layout.rows), from: newest.base, into: slice)
      // Into 1/pixel of the detector.
      if let live = volume.live { for pixel in slice.indices { slice[pixel] *= live.scale } }
    }
  }
}
