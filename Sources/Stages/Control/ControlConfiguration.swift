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
  /// The only scale at which slices are compared; nil for all together.
  var scale: Int?
  /// Which volumes are compared.
  package let looks: LookSchedule
  /// Whether it ends the scan, or leaves that to the edge whose rows these are.
  package var decides = true
  /// Whether nodes score slices of the scan as well, without which it ends no scan by its similarity.
  package var hearsNodes = false

  /// Slices are compared inside this radius, in columns: what lies outside is not seen by all projections.
  static let radiusFraction = 0.42

  /// Projections, of `total`, whose volume is worse than that of all by about a decibel (PSNR) at most: nine tenths of
  /// them. The power of its error falls about like 1/n where noise is what is wrong, which makes 0.5 dB, and like 1/n²
  /// where directions are missing, 0.9 dB.
  package static func projectionsSufficing(of total: Int) -> Int { (total * 9 + 9) / 10 }

  /// A configuration; the values were validated with the scan description. `distance` are updates between two volumes
  /// that are compared; nil for those of a span, which leave sliding windows no common projection.
  package init(
    similarityMin: Double?, patience: Int, scoredFrom: Int, endedFrom: Int, windows: WindowSchedule, risesMax: Int?,
    scale: Int? = nil, distance: Int? = nil
  ) {
    self.similarityMin = similarityMin
    self.patience = patience
    self.scoredFrom = scoredFrom
    self.endedFrom = endedFrom
    self.windows = windows
    self.risesMax = risesMax
    self.scale = scale
    let step = max(1, windows.step)
    looks = LookSchedule(updates: distance ?? (windows.span + step - 1) / step)
  }
}

/// What `control` looks at of one worker: a slice of its volume, in the middle of its rows, after some updates.
package struct MonitoredSlice {
  let history: SliceHistory
  /// The slice as it should be, columns × columns pixels in 1/pixel, where that is known.
  let truth: [Float]?

  /// What the worker keeps in `history`.
  package init(history: SliceHistory, truth: [Float]?) {
    precondition(
      truth.map { $0.count == history.shape.columns * history.shape.columns } ?? true, "a reference of another shape")
    self.history = history
    self.truth = truth
  }

  /// The middle row of so many.
  package static func row(of rows: Int) -> Int { rows / 2 }
}
