/// Which projections each windowed update works on; pure arithmetic.
///
/// Update j covers projections max(0, (j + 1) · step − length) ..< min(count, (j + 1) · step). Windows fill after the first projections and
/// drain after the last, so that with a length that is a multiple of the step, each projection is used length / step times.
public struct WindowSchedule: Sendable, Equatable {
  /// Projections of a full window.
  public let length: Int
  /// New projections between two updates; 0 for no updates at all.
  public let step: Int
  private var count = 0
  private var updates = 0
  private var isDrained = false

  /// `length` ≥ 1, 0 ≤ `step` ≤ `length`.
  public init(length: Int, step: Int) {
    precondition(length >= 1 && (0...length).contains(step), "window length \(length), step \(step)")
    self.length = length
    self.step = step
  }

  /// Takes note of one more projection; the window of the update that is now due, if any.
  public mutating func append() -> Range<Int>? {
    precondition(!isDrained, "a projection after the last one")
    count += 1
    guard step > 0, count % step == 0 else { return nil }
    return next()
  }

  /// Takes note that there are no more projections; the windows of the updates that remain, a last partial step among them.
  public mutating func drain() -> [Range<Int>] {
    precondition(!isDrained, "drained twice")
    isDrained = true
    let total = WindowSchedule.updateCount(projections: count, length: length, step: step)
    return (updates..<total).map { _ in next() }
  }

  /// Updates that a scan of `projections` makes from its first window to the last drained one.
  public static func updateCount(projections: Int, length: Int, step: Int) -> Int {
    projections == 0 || step == 0 ? 0 : (projections + length - 1) / step
  }

  private mutating func next() -> Range<Int> {
    updates += 1
    return max(0, updates * step - length)..<min(count, updates * step)
  }
}
