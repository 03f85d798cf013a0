import RunModel
import Tomography

/// How far apart updates are made: further while the workers do not keep up with the projections, and nearer again
/// afterwards. Every projection is handed out and lies in a window whatever the pace; only the rate of updates changes.
///
/// The pace follows from how fast this machine was, so it is a decision like any other: recorded in the orders,
/// never made again.
struct UpdateInterval {
  let lagMax: Int
  private let windows: WindowSchedule
  /// The projection at which the pace was last changed: a change needs time to show.
  private var changedAt: Int
  /// The projection at which it was last asked what is needed.
  private var askedAt: Int?
  /// A lag at which workers had reached the last change, and when that was.
  private var reached: (projections: Int, lag: Int)?
  /// The most steps from one update to the next.
  private(set) var intervalMax: Int

  /// Widens from a lag of `lagMax` projections on; 0 for never.
  init(lagMax: Int, windows: WindowSchedule, projections: Int) {
    (self.lagMax, self.windows) = (lagMax, windows)
    changedAt = projections
    intervalMax = windows.updateIntervalMax
  }

  /// Makes no more than so many steps lie between updates: projections wait for them as well.
  mutating func limit(to interval: Int) { intervalMax = min(windows.updateIntervalMax, max(1, interval)) }

  /// The interval after `projections`, when the workers are so far behind. `needed` gives the one that they could
  /// follow, nil where that is not known; it hears whether they are too far behind, and is asked only where the
  /// interval may change, and not at every projection.
  ///
  /// Too far behind, the interval becomes what is needed at once. It doubles, once in a window, where that is not
  /// known, or where it is not enough: where workers that have reached the last change get no nearer. Below a quarter
  /// of the limit it becomes what is needed again, or half where that is not known.
  mutating func next(
    _ present: Int, _ backlog: UpdateBacklog, projections: Int, needed: (_ isBehind: Bool) throws -> Int?
  ) rethrows -> Int {
    let isBehind = backlog.isBehind
    guard isBehind || backlog.isAhead && present > 1 else { return present }
    let isDue = projections - changedAt >= limit
    guard isDue || isBehind, projections - (askedAt ?? .min / 2) >= max(1, limit / 4) else { return present }
    askedAt = projections
    let wanted = try needed(isBehind)
    if isBehind {
      if let wanted, wanted > present { return change(to: wanted, from: present, projections) }
      let isEnough = wanted != nil && getsNearer(backlog.lag, projections)
      return isEnough || !isDue ? present : change(to: 2 * present, from: present, projections)
    }
    return change(to: min(wanted ?? present / 2, present), from: present, projections)
  }

  /// Projections that a change needs to show at least.
  private var limit: Int { lagMax > 0 ? min(lagMax, windows.span) : windows.span }

  /// Whether the lag becomes less, or it is too early to tell: what was ordered before the last change comes first.
  private mutating func getsNearer(_ lag: Int, _ projections: Int) -> Bool {
    guard projections - lag >= changedAt + limit else { return true }
    guard let before = reached else {
      reached = (projections, lag)
      return true
    }
    guard projections - before.projections >= limit else { return true }
    reached = (projections, lag)
    return lag < before.lag
  }

  /// Twice the present one, because somebody asked for it.
  mutating func widen(_ present: Int, projections: Int) -> Int {
    change(to: 2 * present, from: present, projections)
  }

  private mutating func change(to wanted: Int, from present: Int, _ projections: Int) -> Int {
    let new = min(max(wanted, 1), max(intervalMax, present), DistributionProgress.intervalMax)
    if new != present { (changedAt, reached) = (projections, nil) }
    return new
  }
}
