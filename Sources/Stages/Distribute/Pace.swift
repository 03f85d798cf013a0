import Tomography

/// How far apart updates are made: further while the workers do not keep up with the projections, and nearer again afterwards. Every
/// projection is handed out and lies in a window whatever the pace; only the rate of updates changes.
///
/// The pace follows from how fast this machine was, so it is a decision like any other: recorded in the chunk events, never made again.
struct Pace {
  private let lagMax: Int
  private let schedule: WindowSchedule
  /// The projection at which the pace was last changed: a change needs time to show.
  private var changedAt: Int

  /// Widens from a lag of `lagMax` projections on; 0 for never.
  init(lagMax: Int, schedule: WindowSchedule, projections: Int) {
    (self.lagMax, self.schedule) = (lagMax, schedule)
    changedAt = projections
  }

  /// The widening after `projections`, when the workers are `lag` projections behind.
  mutating func widening(_ widening: Int, lag: Int, projections: Int) -> Int {
    guard lagMax > 0, projections - changedAt >= min(lagMax, schedule.length) else { return widening }
    let new =
      if lag > lagMax {
        min(2 * widening, schedule.wideningMax)
      } else if lag < lagMax / 4 {
        max(1, widening / 2)
      } else {
        widening
      }
    if new != widening { changedAt = projections }
    return new
  }
}
