import RunModel

/// The grey range in which a run's slices are compared: that of the slices themselves, of all workers together, which
/// stays as it is once it has settled. Streaks of the first windows are as bright as what they cross: in their range
/// everything is similar, so no score counts before.
///
/// It has settled at the first look at which neither end differs by more than a twentieth of its width from what it was
/// a distance of updates before, when every projection of the window was another one.
struct SettledRange {
  /// What may change, in parts of the width.
  private static let changeMax: Float = 0.05
  /// Looks whose ranges are kept: more than those of a distance, for workers that are ahead of others.
  private static let looksMax = SliceHistory.slotsMax

  /// The range; nil until it has settled.
  private(set) var value: ClosedRange<Float>?
  private let schedule: LookSchedule
  /// By update, then by worker.
  private var found: [Int: [Int: ClosedRange<Float>]] = [:]

  /// `value` is what a predecessor compared in.
  init(schedule: LookSchedule, value: ClosedRange<Float>?) { (self.schedule, self.value) = (schedule, value) }

  /// Takes the range of a worker's slice after `update`, as long as there is no value. Gives that of the workers who
  /// are `counted` once none of them is missing: one that is set aside shows nothing for now.
  mutating func add(_ range: ClosedRange<Float>, worker: Int, update: Int, amongst counted: [Int])
    -> ClosedRange<Float>?
  {
    precondition(value == nil, "the grey range has settled")
    found[update, default: [:]][worker] = range
    if found.count > Self.looksMax, let oldest = found.keys.min() { found[oldest] = nil }
    guard let new = whole(update, counted) else { return nil }
    if let old = whole(update - schedule.distance, counted), Self.isSettled(new, after: old) { value = new }
    return new
  }

  /// The looks after `update` of workers that are ahead of others, in their order.
  func looks(after update: Int) -> [(worker: Int, update: Int)] {
    found.keys.sorted().filter { $0 > update }.flatMap { later in
      (found[later] ?? [:]).keys.sorted().map { ($0, later) }
    }
  }

  /// From the lowest to the highest of these workers; nil where one is missing, or there is nothing to see.
  private func whole(_ update: Int, _ counted: [Int]) -> ClosedRange<Float>? {
    let ranges = counted.compactMap { found[update]?[$0] }
    guard ranges.count == counted.count, let low = ranges.map(\.lowerBound).min(),
      let high = ranges.map(\.upperBound).max(), low < high
    else { return nil }
    return low...high
  }

  private static func isSettled(_ new: ClosedRange<Float>, after old: ClosedRange<Float>) -> Bool {
    let change = max(abs(new.lowerBound - old.lowerBound), abs(new.upperBound - old.upperBound))
    return change <= changeMax * (new.upperBound - new.lowerBound)
  }
}
