import Host
import Rings
import RunModel
package import Topics

/// Decides what is computed: which rows of which projection go to which worker, and when each window is complete.
///
/// Every worker's orders carry the same decisions in the same order, and a worker does nothing that is not in
/// them, so a replay of the orders repeats the volume.
package struct DistributeStage {
  /// What to decide with.
  package struct Configuration: Sendable {
    /// Detector rows of each worker, in the rows of an event's payload.
    package var rows: [Range<Int>]
    /// Projections of a window.
    package var windowLength: Int
    /// Projections between updates; 0 for no updates while the scan runs.
    package var windowStep: Int
    /// Iterations of an update.
    package var windowIterations: Int
    /// Iterations over all projections after the scan.
    package var finalIterations: Int
    /// Ordered subsets of each of those.
    package var finalSubsets: Int
    /// Projections that a worker may be behind before updates are made less often; 0 for no limit.
    package var lagMax: Int

    /// A configuration; the values were validated with the scan description.
    package init(
      rows: [Range<Int>], windowLength: Int, windowStep: Int, windowIterations: Int, finalIterations: Int,
      finalSubsets: Int,
      lagMax: Int = 0
    ) {
      self.rows = rows
      self.windowLength = windowLength
      self.windowStep = windowStep
      self.windowIterations = windowIterations
      self.finalIterations = finalIterations
      self.finalSubsets = finalSubsets
      self.lagMax = lagMax
    }
  }

  private let configuration: Configuration
  private let projections: TopicReader
  private let orders: [TopicWriter]
  private let limits: WaitLimits
  private let didWork: () -> Void

  /// One writer in `orders` for each worker; `didWork` hears of every decision.
  package init(
    configuration: Configuration, projections: TopicReader, orders: [TopicWriter], limits: WaitLimits,
    didWork: @escaping () -> Void
  ) {
    precondition(
      configuration.rows.count == orders.count, "\(orders.count) topics for \(configuration.rows.count) workers")
    self.configuration = configuration
    self.projections = projections
    self.orders = orders
    self.limits = limits
    self.didWork = didWork
  }

  /// Runs until `projections` ends; then drains the window, asks for the final iterations and closes the orders. A
  /// successor of a stage that died goes on after the last decision that every worker has.
  package func run() throws {
    guard var decisions = try resume() else { return }
    // Every worker gets one event a decision, so the number of a decision is its sequence in all topics of orders.
    var number = orders.map(\.nextSequence).min() ?? 0
    var interval = UpdateInterval(
      lagMax: configuration.lagMax, schedule: decisions.schedule, projections: decisions.progress.projections)
    while true {
      let progress = decisions.progress
      decisions.progress.updateInterval =
        try recordedInterval(number)
        ?? interval.next(progress.updateInterval, lag: lag(progress), projections: progress.projections)
      let (decision, handled) = try decisions.next(input)
      try announce(decision, number: number, progress: decisions.progress)
      number += 1
      if let handled {
        FaultPoint.unreleased.reach()
        try projections.release(upTo: handled + 1)
      }
      if case .end = decision {
        for writer in orders { try writer.flush() }
        return try projections.release(upTo: decisions.progress.input)
      }
    }
  }

  /// The pace with which a predecessor made decision `number`, where a worker has it already: the others must get the
  /// same one.
  private func recordedInterval(_ number: UInt64) throws -> Int? {
    guard configuration.lagMax > 0, let ahead = orders.first(where: { $0.nextSequence > number }) else { return nil }
    guard let (header, metadata) = try ahead.event(at: number), header.kind == .order else { return nil }
    return try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }.updateInterval
  }

  /// How many projections the slowest worker is behind. Its backlog is counted in orders, of which each update is
  /// one.
  private func lag(_ progress: DistributionProgress) -> Int {
    guard configuration.lagMax > 0, configuration.windowStep > 0 else { return 0 }
    let events = orders.reduce(0) { max($0, $1.backlog(ofReader: 0)) }
    let step = configuration.windowStep * progress.updateInterval
    return events * step / (step + 1)
  }

  /// The decisions that the predecessor left to be made; nil where it had finished.
  private func resume() throws -> Decisions? {
    guard let behind = orders.min(by: { $0.nextSequence < $1.nextSequence }) else { return nil }
    var decisions = Decisions(configuration)
    guard let (header, metadata) = try behind.lastEvent() else {
      projections.seek(backTo: 0)
      return decisions
    }
    if header.kind == .end { return nil }
    decisions.progress = try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }
    projections.seek(backTo: decisions.progress.input)
    return decisions
  }

  /// The event `sequence` of `projections`, or what is lost from there on.
  private func input(_ sequence: UInt64) throws -> Arrival {
    while true {
      let arrival = try limits.arrival(projections, of: Topic.projections.name)
      guard case .event(let event) = arrival, event.header.sequence != sequence else { return arrival }
      // The predecessor had decided about it and died before it could give it back.
      guard event.header.sequence < sequence else {
        throw StageError.disorder("event \(event.header.sequence) of projections came where \(sequence) was expected")
      }
      try projections.release(upTo: event.header.sequence + 1)
    }
  }

  /// Sends a decision to every worker that does not have it yet.
  private func announce(_ decision: Decision, number: UInt64, progress: DistributionProgress) throws {
    for (worker, writer) in orders.enumerated() where writer.nextSequence == number {
      switch decision {
      case .end(let reason):
        try writer.append(
          kind: .end, timeout: limits.room,
          EndEvent(reason: reason, projections: progress.projections, acquired: progress.acquired).encode)
      case .rows(let role, let sequence, let ordinal):
        let order = WorkerOrder.rows(role: role, sequence: sequence, rows: configuration.rows[worker], ordinal: ordinal)
        try append(order, progress, to: writer)
      case .update(let index, let window):
        try append(
          .update(index: index, projections: window, iterations: configuration.windowIterations), progress, to: writer)
      case .final:
        let subsets = min(configuration.finalSubsets, progress.projections)
        let iterations = configuration.finalIterations
        try append(
          .final(iterations: iterations, subsets: subsets, projections: progress.projections), progress, to: writer)
      }
      FaultPoint.ordersHalf.reach()
    }
    didWork()
  }

  private func append(_ order: WorkerOrder, _ progress: DistributionProgress, to writer: TopicWriter) throws {
    try writer.append(kind: .order, timeout: limits.room) { order.encode(into: $0, progress: progress) }
  }
}
