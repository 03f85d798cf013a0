import RunModel

/// What triggers have `distribute` do about updates. What they ask comes from how the run goes, so it is a decision
/// like the interval: recorded in the orders, never made again.
struct TriggeredPace {
  private let gauges: GaugesRegion
  private var widenings: UInt64

  /// Obeys what `gauges` asks for from now on.
  init(_ gauges: GaugesRegion) {
    self.gauges = gauges
    widenings = gauges.widenings
  }

  /// The interval after `projections`: none while updates are paused, twice the present one where that was asked for,
  /// otherwise what `next` gives, and no less than the present one as long as that is asked for.
  mutating func interval(
    _ present: Int, _ interval: inout UpdateInterval, projections: Int,
    next: (_ present: Int, inout UpdateInterval) throws -> Int
  ) rethrows -> Int {
    if gauges.isPaused { return DistributionProgress.intervalPaused }
    let asked = gauges.widenings
    defer { widenings = asked }
    // What was before the pause is long past.
    let present = present == DistributionProgress.intervalPaused ? 1 : present
    guard asked == widenings else { return interval.widen(present, projections: projections) }
    let wanted = try next(present, &interval)
    return gauges.staysWide ? max(wanted, present) : wanted
  }
}
