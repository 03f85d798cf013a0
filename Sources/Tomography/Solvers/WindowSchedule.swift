/// Which projections each windowed update works on, and how often; pure arithmetic, so that a stage that starts again
/// finds the same windows.
///
/// There are two kinds. *Sliding* windows are the newest `length` projections, every `step` of them: update j covers
/// projections max(0, (j + 1) · step − length) ..< min(count, (j + 1) · step). They fill after the first projections
/// and drain after the last, so that with a length that is a multiple of the step, each projection is used length /
/// step times. Where updates cannot keep up, windows may end further apart than a step; up to `updateIntervalMax` steps
/// no projection is left out.
///
/// *Spread* windows are the newest `length` projections with each one that comes, and a few earlier ones that an
/// `AngularSpread` draws. Neither do they drain, nor is a projection sure to be used where updates cannot keep up.
package struct WindowSchedule: Sendable, Equatable {
  /// Newest projections of a full window.
  package let length: Int
  /// New projections between two updates; 0 for no updates at all.
  package let step: Int
  /// Iterations of an update.
  package let iterations: Int
  /// What spread windows have beside the newest projections; nil where windows slide.
  package let spread: AngularSpread?

  /// Sliding windows. `length` ≥ 1, 0 ≤ `step` ≤ `length`, `iterations` ≥ 1.
  package init(length: Int, step: Int, iterations: Int) {
    precondition(length >= 1 && (0...length).contains(step), "window length \(length), step \(step)")
    precondition(iterations >= 1, "\(iterations) iterations of a window")
    self.length = length
    self.step = step
    self.iterations = iterations
    spread = nil
  }

  /// Spread windows. `newest` ≥ 1, `iterations` ≥ 1.
  package init(newest: Int, spread: AngularSpread, iterations: Int) {
    precondition(newest >= 1 && iterations >= 1, "\(newest) newest projections, \(iterations) iterations of a window")
    (length, step) = (newest, 1)
    self.iterations = iterations
    self.spread = spread
  }

  /// Updates that are due once `projections` are there; with `isComplete`, all that a scan of just these projections
  /// makes, from its first window to the last drained one.
  package func updateCount(projections: Int, isComplete: Bool) -> Int {
    if projections == 0 || step == 0 { return 0 }
    return isComplete && spread == nil ? (projections + length - 1) / step : projections / step
  }

  /// Newest projections that have to be at hand for the windows of a scan of so many; 0 where no update comes while it
  /// runs.
  package func slots(projections: Int) -> Int { step > 0 ? min(length, projections) : 0 }

  /// Projections of one angle each that a full window goes through.
  package var projectionsPerUpdate: Int { length + (spread?.count ?? 0) }

  /// Projections in which the volume becomes another one: those of a sliding window, and of spread ones as many as the
  /// published sliding windows have.
  package var span: Int { spread == nil ? length : WindowSchedule.spanOfSpread }
  private static let spanOfSpread = 24

  /// The most steps from one window's end to the next: those that leave no projection out, and with spread windows a
  /// span, as far as they reach.
  package var updateIntervalMax: Int {
    if let spread { return max(1, min(span, spread.reach)) }
    return step == 0 ? 1 : length / step
  }

  /// Whether the update whose window ends at `end` is due; with `isComplete` no more projections follow, and sliding
  /// windows reach beyond the last.
  package func isDue(end: Int, projections: Int, isComplete: Bool) -> Bool {
    guard projections > 0, step > 0 else { return false }
    return end <= (isComplete && spread == nil ? projections + length - 1 : projections)
  }

  /// The newest projections of the window that ends at `end` when `projections` are there.
  package func window(end: Int, projections: Int) -> Range<Int> { max(0, end - length)..<min(projections, end) }
}
