package import KernelTypes
package import RunModel
package import Tomography

/// What updates while the scan runs are made of, where these are binned projections: line integrals of a few rows and
/// columns become one, and the volume has fewer columns and slices. The final iterations know nothing of it.
package struct LiveBinning: Sendable {
  /// How the worker's slices lie in memory then.
  package var layout: LiveLayout
  /// The detector behind them, as `ReconstructStage.Configuration.beams`.
  var beams: [ParallelBeam]
  /// The same about an axis that is found while the scan goes on, in columns of a projection that is not binned.
  var beamsAbout: (@Sendable (Double) -> [ParallelBeam])?

  /// As given.
  package init(
    layout: LiveLayout, beams: [ParallelBeam], beamsAbout: (@Sendable (Double) -> [ParallelBeam])? = nil
  ) {
    precondition(beams.count == 1 || beams.count == layout.layout.blockCount, "\(beams.count) beams")
    (self.layout, self.beams, self.beamsAbout) = (layout, beams, beamsAbout)
  }
}

extension ReconstructStage.Configuration {
  /// How slices lie in memory while the scan runs.
  package var windowLayout: SliceLayout { binning?.layout.layout ?? layout }

  /// The detector behind them.
  var windowBeams: [ParallelBeam] { binning?.beams ?? beams }

  /// The same about an axis that was found, in columns of a projection; nil where it was known before the scan.
  func windowBeams(about axis: Double) -> [ParallelBeam]? {
    binning.map { $0.beamsAbout?(axis) } ?? beamsAbout?(axis)
  }
}
