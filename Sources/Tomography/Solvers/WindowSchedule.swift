/// Which projections each windowed update works on, and how often; pure arithmetic, so that a stage that starts again
/// finds the same windows.
///
/// Update j covers projections max(0, (j + 1) · step − length) ..< min(count, (j + 1) · step). Windows fill after the
/// first projections and drain after the last, so that with a length that is a multiple of the step, each projection is
/// used length / step times.
///
/// Where updates cannot keep up, windows may end further apart than a step; up to `updateIntervalMax` steps no
/// projection is left out.
package struct WindowSchedule: Sendable, Equatable {
  /// Projections of a full window.
  package let length: Int
  /// New projections between two updates; 0 for no updates at all.
  package let step: Int
  /// Iterations of an update.
  package let iterations: Int

  /// `length` ≥ 1, 0 ≤ `step` ≤ `length`, `iterations` ≥ 1.
  package init(length: Int, step: Int, iterations: Int) {
    precondition(length >= 1 && (0...length).contains(step), "window length \(length), step \(step)")
    precondition(iterations >= 1, "\(iterations) iterations of a window")
    self.length = length
    self.step = step
    self.iterations = iterations
  }

  /// Updates that are due once `projections` are there; with `isComplete`, all that a scan of just these projections
  /// makes, from its first window to the last drained one.
  package func updateCount(projections: Int, isComplete: Bool) -> Int {
    if projections == 0 || step == 0 { return 0 }
    return isComplete ? (projections + length - 1) / step : projections / step
  }

  /// Projections that have to be at hand for the windows of a scan of so many; 0 where no update comes while it runs.
  package func slots(projections: Int) -> Int { step > 0 ? min(length, projections) : 0 }

  /// The most steps from one window's end to the next that leave no projection out.
  package var updateIntervalMax: Int { step == 0 ? 1 : length / step }

  /// Whether the update whose window ends at `end` is due; with `isComplete` no more projections follow, and windows
  /// reach beyond the last.
  package func isDue(end: Int, projections: Int, isComplete: Bool) -> Bool {
    guard projections > 0, step > 0 else { return false }
    return end <= (isComplete ? projections + length - 1 : projections)
  }

  /// The projections of the window that ends at `end` when `projections` are there.
  package func window(end: Int, projections: Int) -> Range<Int> { max(0, end - length)..<min(projections, end) }
}
