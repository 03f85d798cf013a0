import Glibc
import Host
import Rings
public import Topics

/// Follows the updates of all workers to their end; then writes the volume.
public struct ExportStage {
  private let configuration: ExportConfiguration
  private let updates: [TopicReader]
  private let commands: TopicReader
  private let volumes: [VolumeRegion]
  private let patience: Patience
  private let stopRequested: () -> Bool
  private let didWork: () -> Void
  private let losses: () throws -> LossReport?
  private var convergence: Convergence
  private var ends: [EndEvent?]

  /// One reader and one volume for each worker, in the order of their rows; `commands` says who finalized the scan; `didWork` hears of every update.
  /// `losses` are asked for once the updates have ended: what a live source has lost.
  public init(
    configuration: ExportConfiguration, updates: [TopicReader], commands: TopicReader, volumes: [VolumeRegion], patience: Patience,
    stopRequested: @escaping () -> Bool, didWork: @escaping () -> Void, losses: @escaping () throws -> LossReport? = { nil }
  ) {
    precondition(updates.count == volumes.count && !updates.isEmpty, "\(updates.count) update topics, \(volumes.count) volumes")
    self.configuration = configuration
    self.updates = updates
    self.commands = commands
    self.volumes = volumes
    self.patience = patience
    self.stopRequested = stopRequested
    self.didWork = didWork
    self.losses = losses
    convergence = Convergence(
      workers: updates.count, windowUpdates: configuration.windowUpdates, finalIterations: configuration.finalIterations)
    ends = updates.map { _ in nil }
  }

  /// What was written; nil where a stop was requested, or the scan ended before its first projection: then there is no volume.
  public mutating func run() throws -> ExportReport? {
    guard let ends = try follow(), let first = ends.first else { return nil }
    guard try awaitVolumes(ends) else { return nil }
    let projections = ends.map(\.projections)
    guard let used = projections.min(), used > 0 else { return nil }
    FaultPoint.exportBefore.reach()
    let source = VolumeSource(volumes: volumes)
    let writer = VolumeExport(configuration: configuration, source: source, stopRequested: stopRequested)
    let lost = ends.reduce(0) { max($0, $1.acquired) } - used
    let lostFields = configuration.fields - (ends.map(\.fields).min() ?? 0)
    let duplicates = ends.reduce(0) { $0 + $1.duplicates }
    let stopReason = try stopReason(first)
    let facts = [
      "stop_reason": stopReason, "lost_projections": "\(lost)", "lost_fields": "\(lostFields)", "duplicate_events": "\(duplicates)",
    ]
    guard let (outputs, digest) = try writer.write(facts.merging(losses()?.facts ?? [:]) { $1 }) else { return nil }
    if configuration.checks { guard try writer.check() else { return nil } }
    let (window, final, pixels) = (convergence.windowResiduals, convergence.finalResiduals, convergence.pixelCounts)
    return ExportReport(
      outputs: outputs, isChecked: configuration.checks, volumeSHA256: digest, stoppedBy: stopReason, projections: used, lost: lost,
      lostFields: lostFields, duplicates: duplicates, updates: window.count + final.count, windowResiduals: window, finalResiduals: final,
      nonFinitePixels: pixels.nonFinite, clampedPixels: pixels.clamped, deadPixels: pixels.dead, negativePixels: pixels.negative)
  }

  /// Reads every worker's updates until all have ended; nil where a stop was requested.
  private mutating func follow() throws -> [EndEvent]? {
    var lastEvent = ContinuousClock.now
    while ends.contains(nil) {
      if stopRequested() { return nil }
      var sawEvent = false
      for worker in updates.indices where ends[worker] == nil {
        while let event = try updates[worker].next(timeout: sawEvent ? .zero : Patience.glance / updates.count) {
          try apply(event, worker: worker)
          try updates[worker].release(upTo: event.header.sequence + 1)
          sawEvent = true
          didWork()
          if ends[worker] != nil { break }
        }
      }
      if sawEvent { lastEvent = .now }
      guard ContinuousClock.now - lastEvent < patience.idle else { throw StageError.stalled("no update for \(patience.idle)") }
    }
    return ends.compactMap { $0 }
  }

  /// Why the scan ended, in words. Of a scan that was finalized and whose command is lost nobody knows who did it.
  private func stopReason(_ end: EndEvent) throws -> String {
    guard end.reason == .finalized, case .event(let event) = try commands.arrival(timeout: .zero) else { return end.reason.word }
    return try CommandEvent(decoding: event.metadata).reason
  }

  /// Waits until every volume is the one that its worker ended with: after a restart of the machine a worker computes it again, though all of
  /// its updates were reported before. False where a stop was requested.
  private func awaitVolumes(_ ends: [EndEvent]) throws -> Bool {
    let start = ContinuousClock.now
    while zip(volumes, ends).contains(where: { $0.newest.number < $1.generation }) {
      if stopRequested() { return false }
      guard ContinuousClock.now - start < patience.idle else { throw StageError.stalled("no finished volume for \(patience.idle)") }
      usleep(10_000)
    }
    return true
  }

  private mutating func apply(_ event: Event, worker: Int) throws {
    switch event.header.kind {
    case .update: try convergence.add(UpdateEvent(decoding: event.metadata), worker: worker)
    case .end: ends[worker] = try EndEvent(decoding: event.metadata)
    default: throw StageError.disorder("\(event.header.kind) in updates.\(worker) at \(event.header.sequence)")
    }
  }
}
