import Tomography

/// Which steps of a ladder are in effect: one more when the workers are too far behind, one less when they are near
/// again and could do with one less, at most once in a window.
///
/// The level follows from how fast this machine was, so it is a decision like any other: recorded in the orders, never
/// made again.
struct UpdateLevels {
  private let ladder: SlowLadder
  private let windows: WindowSchedule
  /// The projection at which level or interval last changed: a change needs time to show.
  private var changedAt: Int
  /// The projection at which it was last asked what is needed.
  private var askedAt: Int?

  /// Goes on after so many projections.
  init(_ ladder: SlowLadder, windows: WindowSchedule, projections: Int) {
    (self.ladder, self.windows) = (ladder, windows)
    // The first change needs to wait for none.
    changedAt = projections == 0 ? -windows.span : projections
  }

  /// The interval between updates after `projections`, and the level: `needed` as `UpdateInterval.next` has it, but in
  /// parts of a step.
  mutating func next(
    _ level: inout Int, _ present: Int, _ interval: inout UpdateInterval, _ backlog: UpdateBacklog, projections: Int,
    needed: (_ isBehind: Bool) -> Double?
  ) -> Int {
    func widened(_ interval: inout UpdateInterval) -> Int {
      interval.next(present, backlog, projections: projections) { needed($0).map { Int($0.rounded(.up)) } }
    }
    guard ladder != .standard else {
      let wanted = widened(&interval)
      level = wanted > 1 ? 1 : 0
      return wanted
    }
    // A trigger may have made them fewer where the ladder does not.
    let wanted = ladder.widens(at: level) ? widened(&interval) : backlog.isAhead ? 1 : present
    guard wanted == present else {
      changedAt = projections
      return wanted
    }
    guard projections - changedAt >= windows.span else { return present }
    if backlog.isBehind, level < ladder.steps.count, level == 0 || isExhausted(level, present, interval) {
      (level, changedAt) = (level + 1, projections)
      return ladder.steps[level - 1] == .widen ? widened(&interval) : present
    }
    if backlog.isAhead, level > 0, isDispensable(level, present, interval, projections, needed) {
      (level, changedAt) = (level - 1, projections)
    }
    return present
  }

  /// Whether the last step of a level can do no more.
  private func isExhausted(_ level: Int, _ present: Int, _ interval: UpdateInterval) -> Bool {
    ladder.steps[level - 1] != .widen || present >= interval.intervalMax
  }

  /// Whether the workers could follow without the last step of a level.
  private mutating func isDispensable(
    _ level: Int, _ present: Int, _ interval: UpdateInterval, _ projections: Int,
    _ needed: (_ isBehind: Bool) -> Double?
  ) -> Bool {
    if ladder.steps[level - 1] == .widen { return present == 1 }
    guard projections - (askedAt ?? .min / 2) >= max(1, windows.span / 4) else { return false }
    askedAt = projections
    guard let seconds = needed(false) else { return true }
    return seconds * ladder.work(ofLast: level) <= Double(ladder.widens(at: level - 1) ? interval.intervalMax : 1)
  }
}
