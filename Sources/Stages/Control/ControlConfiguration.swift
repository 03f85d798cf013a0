import KernelTypes
package import RunModel
package import Tomography

/// What `control` decides with.
package struct ControlConfiguration: Sendable {
  /// The similarity at which a scan is finalized; nil for never.
  package var similarityMin: Double?
  /// Scores in a row that must reach it, of every worker.
  var patience: Int
  /// Projections before which no score counts.
  var scoredFrom: Int
  /// Projections before which no score ends the scan.
  package var endedFrom: Int
  /// The updates while the scan runs.
  var windows: WindowSchedule
  /// Updates in a row after which a rising residual finalizes the scan; nil for never.
  var risesMax: Int?

  /// Slices are compared inside this radius, in columns: what lies outside is not seen by all projections.
  static let radiusFraction = 0.42
  /// Volumes that are compared in each window's length.
  static let scoresPerWindow = 4

  /// Projections, of `total`, whose volume is worse than that of all by about a decibel (PSNR) at most: nine tenths of
  /// them. The power of its error falls about like 1/n where noise is what is wrong, which makes 0.5 dB, and like 1/n²
  /// where directions are missing, 0.9 dB.
  package static func projectionsSufficing(of total: Int) -> Int { (total * 9 + 9) / 10 }

  /// A configuration; the values were validated with the scan description.
  package init(
    similarityMin: Double?, patience: Int, scoredFrom: Int, endedFrom: Int, windows: WindowSchedule, risesMax: Int?
  ) {
    self.similarityMin = similarityMin
    self.patience = patience
    self.scoredFrom = scoredFrom
    self.endedFrom = endedFrom
    self.windows = windows
    self.risesMax = risesMax
  }
}

/// What `control` looks at of one worker: a slice of its volume, in the middle of its rows.
package struct MonitoredSlice {
  let volume: VolumeRegion
  /// The slice as it should be, columns × columns pixels in 1/pixel, where that is known.
  let truth: [Float]?

  /// The middle slice of `volume`.
  package init(volume: VolumeRegion, truth: [Float]?) {
    precondition(
      truth.map { $0.count == volume.layout.columns * volume.layout.columns } ?? true, "a reference of another shape")
    self.volume = volume
    self.truth = truth
  }

  /// The middle row of so many.
  package static func row(of rows: Int) -> Int { rows / 2 }
}
