import Tomography

/// How far apart updates are made: further while the workers do not keep up with the projections, and nearer again
/// afterwards. Every projection is handed out and lies in a window whatever the pace; only the rate of updates changes.
///
/// The pace follows from how fast this machine was, so it is a decision like any other: recorded in the orders,
/// never made again.
struct UpdateInterval {
  private let lagMax: Int
  private let windows: WindowSchedule
  /// The projection at which the pace was last changed: a change needs time to show.
  private var changedAt: Int

  /// Widens from a lag of `lagMax` projections on; 0 for never.
  init(lagMax: Int, windows: WindowSchedule, projections: Int) {
    (self.lagMax, self.windows) = (lagMax, windows)
    changedAt = projections
  }

  /// The updateInterval after `projections`, when the workers are `lag` projections behind.
  mutating func next(_ updateInterval: Int, lag: Int, projections: Int) -> Int {
    guard lagMax > 0, projections - changedAt >= min(lagMax, windows.length) else { return updateInterval }
    let new =
      if lag > lagMax {
        min(2 * updateInterval, windows.updateIntervalMax)
      } else if lag < lagMax / 4 {
        max(1, updateInterval / 2)
      } else {
        updateInterval
      }
    if new != updateInterval { changedAt = projections }
    return new
  }
}
