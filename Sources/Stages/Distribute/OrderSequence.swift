import Rings
import RunModel
import Tomography
import Topics

/// Who says where the axis is, where that is not known before the scan.
struct AxisDecisions {
  /// While projections come.
  let next: (DistributionProgress) throws -> LiveAxis.Search
  /// After the last one.
  let last: (DistributionProgress) throws -> FoundAxis
}

/// The orders of a scan, one after the other: a function of the configuration and of what came in so far.
struct OrderSequence {
  /// What follows the orders before it.
  enum Step: Equatable {
    /// Every worker is told this.
    case order(WorkerOrder)
    /// There are no more.
    case end(EndEvent)
  }

  /// How far the orders are that were made.
  var progress = DistributionProgress()
  private let configuration: DistributeStage.Configuration
  /// What updates draw from; nil where windows slide.
  private var newest: NewestDirections?

  /// The beginning.
  init(_ configuration: DistributeStage.Configuration) {
    self.configuration = configuration
    newest = configuration.windows.spread.map { NewestDirections(reach: $0.reach) }
  }

  /// What follows `progress`; `known` are the newest projections before it, as many as updates draw from.
  init(
    _ configuration: DistributeStage.Configuration, after progress: DistributionProgress,
    known: some BidirectionalCollection<WorkerOrder.SpreadProjection>
  ) {
    self.configuration = configuration
    self.progress = progress
    newest = configuration.windows.spread.map {
      NewestDirections(reach: $0.reach, count: progress.projections - known.count)
    }
    for projection in known { newest?.append(sequence: projection.sequence, theta: projection.theta) }
  }

  /// The next order. What is due about the axis, then updates that are due, come before the next input. What is lost is
  /// passed over, as if it had never been there. `axis` is asked where that is due.
  mutating func next(_ input: (UInt64) throws -> Arrival, axis: AxisDecisions? = nil) throws -> Step {
    while true {
      if let order = try dueAxis(axis) { return .order(order) }
      if let update = dueUpdate() { return .order(update) }
      if let reason = progress.end { return afterProjections(reason) }
      switch try input(progress.input) {
      case .event(let event): if let order = try take(event) { return .order(order) }
      case .lost(let range): progress.input = max(progress.input, range.upperBound)
      }
    }
  }

  /// The order about the axis that is due; nil while there is none.
  private mutating func dueAxis(_ decisions: AxisDecisions?) throws -> WorkerOrder? {
    guard let schedule = configuration.axis, let decisions, progress.projections > 0, !progress.isAxisFinal else {
      return nil
    }
    if progress.end != nil {
      let found = try decisions.last(progress)
      progress.isAxisFinal = true
      return axis(found)
    }
    guard schedule.isDue(projections: progress.projections, sought: progress.axisSought) else { return nil }
    switch try decisions.next(progress) {
    case .tooEarly: return nil
    case .nothing:
      progress.axisSought = progress.projections
      return nil
    case .found(let found): return axis(found)
    }
  }

  private mutating func axis(_ found: FoundAxis) -> WorkerOrder {
    let startsOver = progress.axis.map { abs($0.axis - found.axis) > AxisSchedule.moveMax } ?? false
    (progress.axis, progress.axisSought) = (found, progress.projections)
    progress.axisOrders += 1
    return .axis(found, projections: progress.projections, startsOver: startsOver)
  }

  /// The update that is due; nil while there is none, and before an axis is known.
  private mutating func dueUpdate() -> WorkerOrder? {
    guard configuration.axis == nil || progress.axis != nil else { return nil }
    let windows = configuration.windows, every = progress.decimation
    while true {
      // Nothing has to be kept up with after the end, but those that are left out stay so.
      let due =
        progress.windowEnd
        + windows.step * (progress.end == nil ? progress.updateInterval : (every - 1) / max(windows.step, 1) + 1)
      guard windows.isDue(end: due, projections: progress.projections, isComplete: progress.end != nil),
        progress.end != nil || (progress.projections - 1) % every == 0
      else { return nil }
      // After the windows came nearer to each other again one may be overdue: workers keep the newest projections only.
      let end = max(due, progress.projections)
      let window = windows.window(end: end, projections: progress.projections)
      progress.windowEnd = end
      // The last windows reach beyond the last projection, and may have none left that is used.
      guard (window.upperBound - 1) / every * every >= window.lowerBound else { continue }
      progress.updates += 1
      let index = progress.updates - 1
      return .update(
        index: index, projections: window, every: every, spread: drawn(index), iterations: windows.iterations)
    }
  }

  /// The earlier projections that an update uses.
  private func drawn(_ update: Int) -> [WorkerOrder.SpreadProjection] {
    guard let spread = configuration.windows.spread, let newest else { return [] }
    return newest.drawn(by: spread, update: update).map {
      WorkerOrder.SpreadProjection(ordinal: $0.ordinal, sequence: $0.sequence, theta: $0.theta)
    }
  }

  /// What follows the last projection and its updates.
  private mutating func afterProjections(_ reason: EndEvent.Reason) -> Step {
    let count = progress.projections, iterations = configuration.final.iterations(projections: count)
    if progress.isFinalOrdered || iterations == 0 {
      return .end(EndEvent(reason: reason, projections: progress.projections, acquired: progress.acquired))
    }
    progress.isFinalOrdered = true
    return .order(
      .final(
        iterations: iterations, subsets: configuration.final.subsets(projections: count), projections: count))
  }

  /// The order about one event; nil for the end of the projections, after which others follow.
  private mutating func take(_ event: Event) throws -> WorkerOrder? {
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
    if configuration.isTold { progress.interval = header.interval }
    let ordinal = role == .projection ? progress.projections : 0
    if role == .projection {
      guard header.theta.isFinite else {
        throw StageError.disorder("the image \(header.sequence) of projections is at theta \(header.theta)")
      }
      progress.projections += 1
      newest?.append(sequence: header.sequence, theta: header.theta)
    } else {
      progress.fields += 1
      if progress.projections > 0 { progress.lateFields += 1 }
    }
    progress.input += 1
    return .rows(
      role: role, sequence: header.sequence, ordinal: ordinal, theta: role == .projection ? header.theta : 0)
  }
}
