import KernelTypes
import RunModel
import Tomography

// What control compares.
extension ReconstructStage {
  /// Keeps the monitored slice of the newest generation, which `update` made, if it is one to look at and no
  /// predecessor has kept it.
  func keepSlice(after update: UpdateEvent) {
    let newest = volume.newest
    guard let slices, slices.keeps(update: update.index), !slices.isKept(update: update.index),
      newest.number == update.generation
    else { return }
    slices.keep(
      update: update.index, projections: update.projections.upperBound, acquiredAt: newestAcquiredAt
    ) { [layout = volume.windowLayout] slice in
      let row = MonitoredSlice.row(of: layout.rows)
      if volume.isCoarse(newest), let coarse {
        let half = LiveLayout(layout: coarse.grid.coarse, factor: 2)
        GenerationSlices(layout: layout, live: half, base: newest.base).copySlice(row: row, into: slice)
      } else {
        layout.copySlice(row: row, from: newest.base, into: slice)
      }
      // Into 1/pixel of the detector.
      if let live = volume.live { for pixel in slice.indices { slice[pixel] *= live.scale } }
    }
  }
}
