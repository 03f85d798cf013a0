import Host
package import Rings
package import RunModel
package import Tomography
package import Topics

/// Decides what is computed: which rows of which projection go to which worker, and when each window is complete.
///
/// Every worker gets the same orders one after the other, each for its own rows, and does nothing else, so a replay of
/// the orders repeats the volume.
package struct DistributeStage {
  /// What to decide with.
  package struct Configuration: Sendable {
    /// Detector rows of each worker, in the rows of an event's payload.
    package var rows: [Range<Int>]
    /// The updates while the scan runs.
    var windows: WindowSchedule
    /// Iterations over all projections after the scan.
    var final: FinalSchedule
    /// Projections that a worker may be behind before updates are made less often; 0 for no limit.
    package var lagMax: Int
    /// What is done while a worker is too far behind, and how many seconds a projection may wait for the volume that
    /// has it, nil for any.
    package var ladder = SlowLadder.standard
    package var latencyMax: Double?
    /// Where the rotation axis is looked for; nil where it is known.
    var axis: AxisSchedule?
    /// Whether triggers may change when updates are made.
    var obeysTriggers: Bool
    /// Whether images say how far apart updates are, as somebody else has decided (F12).
    var isTold: Bool

    /// A configuration; the values were validated with the scan description.
    package init(
      rows: [Range<Int>], windows: WindowSchedule, final: FinalSchedule, lagMax: Int = 0, axis: AxisSchedule? = nil,
      obeysTriggers: Bool = false, isTold: Bool = false
    ) {
      self.rows = rows
      self.windows = windows
      self.final = final
      self.lagMax = lagMax
      self.axis = axis
      self.obeysTriggers = obeysTriggers
      self.isTold = isTold
    }

    /// Whether it may ever make fewer updates than all.
    package var changesPace: Bool { windows.step > 0 && (lagMax > 0 || latencyMax != nil || obeysTriggers) }
  }

  let configuration: Configuration
  let projections: TopicReader
  let orders: [TopicWriter]
  private let updates: [RingObserver]
  private let gauges: GaugesRegion?
  private let limits: WaitLimits
  let noticed: (String) -> Void
  private let didWork: () -> Void

  /// One writer in `orders` for each worker, and in `updates` one observer, which tells how long its updates take, or
  /// none; `gauges` has what triggers ask for, where they may; `noticed` hears why no rotation axis is found, `didWork`
  /// of every order.
  package init(
    configuration: Configuration, projections: TopicReader, orders: [TopicWriter], updates: [RingObserver] = [],
    gauges: GaugesRegion? = nil, limits: WaitLimits, noticed: @escaping (String) -> Void = { _ in },
    didWork: @escaping () -> Void
  ) {
    precondition(
      configuration.rows.count == orders.count, "\(orders.count) topics for \(configuration.rows.count) workers")
    self.configuration = configuration
    self.projections = projections
    self.orders = orders
    self.updates = updates
    self.gauges = gauges
    self.limits = limits
    self.noticed = noticed
    self.didWork = didWork
  }

  /// Runs until `projections` ends; then drains the window, asks for the final iterations and closes the orders. A
  /// successor of a stage that died goes on after the last order that every worker has.
  package func run() throws {
    guard var sequence = try resume() else { return }
    // Every worker gets every order, so the number of an order is its sequence in all of their topics.
    var number = orders.map(\.nextSequence).min() ?? 0
    var interval = UpdateInterval(
      lagMax: configuration.lagMax, windows: configuration.windows, projections: sequence.progress.projections)
    var pace = UpdatePace(updates: updates, windows: configuration.windows)
    var triggered = gauges.map { TriggeredPace($0) }
    var levels = UpdateLevels(
      configuration.ladder, windows: configuration.windows, projections: sequence.progress.projections)
    var wait = UpdateWait(updates)
    var newestAcquiredAt: UInt64 = 0
    let axis = try liveAxis(handedOut: sequence.progress.projections + sequence.progress.fields, orders: number)
    while true {
      let recorded = try recordedOrder(number)
      var arrived: Event?
      let step = try sequence.next({ try input($0, &arrived) }, axis: axis.map { decisions($0, recorded) })
      // An order says how far apart updates are from it on: who has the one of an image knows which update follows it.
      let now = sequence.progress
      if let arrived { newestAcquiredAt = arrived.header.acquiredAt }
      if let recorded = recorded?.progress {
        sequence.progress.take(recorded)
      } else {
        if let latencyMax = configuration.latencyMax, let steps = pace.interval(within: latencyMax / 4) {
          interval.limit(to: steps)
        }
        var level = now.level
        let between = Self.next(now, &interval, &triggered) { present, interval in
          let behind = backlog(now, &wait, newestAcquiredAt)
          return levels.next(&level, present, &interval, behind, projections: now.projections) {
            pace.steps(isBehind: $0)
          }
        }
        let ladder = configuration.ladder
        sequence.progress.take(
          interval: between, level: level, ladder.decimation(at: level), isCoarse: ladder.coarsens(at: level))
      }
      switch step {
      case .order(let order):
        let progress = sequence.progress
        try tell(number, .order) { order.encode(into: $0, rows: $1, progress: progress) }
        number += 1
        if case .rows(let role, let image, _, let theta) = order {
          if role == .projection { pace.countProjection(at: Machine.monotonicNanoseconds) }
          if let axis, let arrived { try axis.note(role, theta: theta, arrived) }
          FaultPoint.unreleased.reach()
          try projections.release(upTo: image + 1)
        }
      case .end(let end):
        try tell(number, .end) { metadata, _ in end.encode(into: metadata) }
        for writer in orders { try writer.flush() }
        return try projections.release(upTo: sequence.progress.input)
      }
    }
  }

  /// The interval after `progress`, as `paced` gives it where triggers ask for nothing.
  private static func next(
    _ progress: DistributionProgress, _ interval: inout UpdateInterval, _ triggered: inout TriggeredPace?,
    paced: (_ present: Int, inout UpdateInterval) -> Int
  ) -> Int {
    guard triggered != nil else { return paced(progress.updateInterval, &interval) }
    return triggered!.interval(
      progress.updateInterval, &interval, projections: progress.projections, next: paced)
  }

  /// Order `number` where a worker has it already, with the pace with which a predecessor made it, and where that found
  /// the axis: the others must get the same one.
  private func recordedOrder(_ number: UInt64) throws -> (order: WorkerOrder, progress: DistributionProgress)? {
    guard configuration.changesPace || configuration.axis != nil,
      let worker = orders.firstIndex(where: { $0.nextSequence > number }),
      let (header, metadata) = try orders[worker].event(at: number), header.kind == .order
    else { return nil }
    return try metadata.withUnsafeBytes {
      (
        try WorkerOrder(decoding: $0, rows: configuration.rows[worker]), try DistributionProgress(decoding: $0)
      )
    }
  }

  /// How many projections the slowest worker is behind. Its backlog is counted in orders, of which each update is one.
  private func lag(_ progress: DistributionProgress) -> Int {
    guard configuration.lagMax > 0 || configuration.latencyMax != nil, configuration.windows.step > 0 else { return 0 }
    let events = orders.reduce(0) { max($0, $1.backlog(ofReader: 0)) }
    let step = configuration.windows.step * progress.updateInterval
    return events * step / (step + 1)
  }

  /// How far the slowest worker is behind after `progress`, whose newest projection was acquired at `acquiredAt`.
  private func backlog(
    _ progress: DistributionProgress, _ wait: inout UpdateWait, _ acquiredAt: UInt64
  ) -> UpdateBacklog {
    let latency = configuration.latencyMax.map {
      2 / $0
        * wait.seconds(ordered: progress.updates, acquiredAt: acquiredAt, now: Machine.realtimeNanoseconds)
    }
    return UpdateBacklog(lag: lag(progress), lagMax: configuration.lagMax, latency: latency)
  }

  /// The orders that the predecessor left to be made; nil where it had finished.
  private func resume() throws -> OrderSequence? {
    guard let behind = orders.min(by: { $0.nextSequence < $1.nextSequence }) else { return nil }
    guard let (header, metadata) = try behind.lastEvent() else {
      projections.seek(backTo: 0)
      return OrderSequence(configuration)
    }
    if header.kind == .end { return nil }
    let progress = try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }
    projections.seek(backTo: progress.input)
    return OrderSequence(configuration, after: progress, known: try newestProjections(of: progress, in: behind))
  }

  /// The newest projections that the predecessor handed out, in their order, as many as updates draw from.
  private func newestProjections(
    of progress: DistributionProgress, in orders: TopicWriter
  ) throws -> [WorkerOrder.SpreadProjection] {
    guard let spread = configuration.windows.spread, let index = self.orders.firstIndex(where: { $0 === orders }) else {
      return []
    }
    var newest: [WorkerOrder.SpreadProjection] = []
    let wanted = min(progress.projections, spread.reach)
    for number in (0..<orders.nextSequence).reversed() {
      if newest.count == wanted { break }
      guard let (header, metadata) = try orders.event(at: number), header.kind == .order else { continue }
      let order = try metadata.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: configuration.rows[index]) }
      guard case .rows(.projection, let sequence, progress.projections - 1 - newest.count, let theta) = order else {
        continue
      }
      newest.append(
        WorkerOrder.SpreadProjection(
          ordinal: progress.projections - 1 - newest.count, sequence: sequence, theta: theta))
    }
    guard newest.count == wanted else {
      throw StageError.disorder("the orders name \(newest.count) of the newest \(wanted) projections")
    }
    return newest.reversed()
  }

  /// The event `sequence` of `projections`, which is put into `arrived`, or what is lost from there on.
  private func input(_ sequence: UInt64, _ arrived: inout Event?) throws -> Arrival {
    while true {
      let arrival = try limits.arrival(projections, of: Topic.projections.name)
      guard case .event(let event) = arrival else { return arrival }
      guard event.header.sequence != sequence else {
        arrived = event
        return arrival
      }
      // The predecessor had made its order and died before it could give it back.
      guard event.header.sequence < sequence else {
        throw StageError.disorder("event \(event.header.sequence) of projections came where \(sequence) was expected")
      }
      try projections.release(upTo: event.header.sequence + 1)
    }
  }

  /// Writes event `number` to every worker that does not have it yet; `encode` gets the worker's rows.
  private func tell(
    _ number: UInt64, _ kind: EventKind, _ encode: (UnsafeMutableRawBufferPointer, Range<Int>) -> Int
  ) throws {
    for (writer, rows) in zip(orders, configuration.rows) where writer.nextSequence == number {
      try writer.append(kind: kind, timeout: limits.room) { encode($0, rows) }
      FaultPoint.ordersHalf.reach()
    }
    didWork()
  }
}
