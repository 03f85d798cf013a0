import Rings
import RunModel
import Tomography
import Topics

/// One thing that all workers are told, in the same order.
enum Decision: Equatable {
  /// Take your rows of this event of `projections`, the `ordinal`-th projection.
  case rows(role: ImageRole, sequence: UInt64, ordinal: Int)
  /// Update over a window.
  case update(index: Int, window: Range<Int>)
  /// Iterate over all projections.
  case final
  /// Nothing follows.
  case end(EndEvent.Reason)
}

/// Makes the decisions of a scan, one after the other: a function of the configuration and of what came in so far.
struct Decisions {
  var progress = DistributionProgress()
  let schedule: WindowSchedule
  private let finalIterations: Int

  init(_ configuration: DistributeStage.Configuration) {
    schedule = WindowSchedule(length: configuration.windowLength, step: configuration.windowStep)
    finalIterations = configuration.finalIterations
  }

  /// The next decision, and the event of `projections` that it handled, if it needed one. Updates that are due come
  /// before the next input. What is lost is passed over, as if it had never been there.
  mutating func next(_ input: (UInt64) throws -> Arrival) throws -> (decision: Decision, handled: UInt64?) {
    while true {
      // Nothing has to be kept up with after the end.
      let due = progress.windowEnd + schedule.step * (progress.end == nil ? progress.updateInterval : 1)
      if schedule.isDue(end: due, projections: progress.projections, isComplete: progress.end != nil) {
        // After the windows came nearer to each other again one may be overdue: workers keep the newest projections
        // only.
        let end = max(due, progress.projections)
        let window = schedule.window(end: end, projections: progress.projections)
        progress.windowEnd = end
        progress.updates += 1
        return (.update(index: progress.updates - 1, window: window), nil)
      }
      if let reason = progress.end {
        if progress.isFinalOrdered || finalIterations == 0 || progress.projections == 0 { return (.end(reason), nil) }
        progress.isFinalOrdered = true
        return (.final, nil)
      }
      switch try input(progress.input) {
      case .event(let event): if let decision = try take(event) { return (decision, progress.input - 1) }
      case .lost(let range): progress.input = max(progress.input, range.upperBound)
      }
    }
  }

  /// The decision about one event; nil for the end of the projections, after which others follow.
  private mutating func take(_ event: Event) throws -> Decision? {
    let header = event.header
    if header.kind == .end {
      let end = try EndEvent(decoding: event.metadata)
      (progress.end, progress.acquired) = (end.reason, end.projections)
      progress.input += 1
      return nil
    }
    guard let role = ImageRole(header.kind) else {
      throw StageError.disorder("\(header.kind) in projections at \(header.sequence)")
    }
    let ordinal = role == .projection ? progress.projections : 0
    if role == .projection { progress.projections += 1 }
    progress.input += 1
    return .rows(role: role, sequence: header.sequence, ordinal: ordinal)
  }
}
