import Glibc
import Rings
import RunModel
import Topics

/// Follows the updates of all workers to their end, and waits for the volumes that they ended with.
struct UpdateFollower {
  let updates: [TopicReader]
  let volumes: [VolumeRegion]
  let limits: WaitLimits
  let stopRequested: () -> Bool
  let didWork: () -> Void

  /// Reads every worker's updates until all have ended, `apply` each; nil where a stop was requested.
  func follow(_ apply: (_ update: UpdateEvent, _ worker: Int) throws -> Void) throws -> [EndEvent]? {
    var ends: [EndEvent?] = updates.map { _ in nil }
    var lastEvent = ContinuousClock.now
    while ends.contains(nil) {
      if stopRequested() { return nil }
      var sawEvent = false
      for worker in updates.indices where ends[worker] == nil {
        while ends[worker] == nil,
          let event = try updates[worker].next(timeout: sawEvent ? .zero : WaitLimits.pollInterval / updates.count)
        {
          switch event.header.kind {
          case .update: try apply(UpdateEvent(decoding: event.metadata), worker)
          case .end: ends[worker] = try EndEvent(decoding: event.metadata)
          default: throw StageError.disorder("\(event.header.kind) in updates.\(worker) at \(event.header.sequence)")
          }
          try updates[worker].release(upTo: event.header.sequence + 1)
          sawEvent = true
          didWork()
        }
      }
      if sawEvent { lastEvent = .now }
      guard ContinuousClock.now - lastEvent < limits.idle else {
        throw StageError.stalled("no update for \(limits.idle)")
      }
    }
    return ends.compactMap { $0 }
  }

  /// Waits until every volume is the one that its worker ended with: after a restart of the machine a worker computes
  /// it again, though all of its updates were reported before. False where a stop was requested.
  func waitForVolumes(_ ends: [EndEvent]) throws -> Bool {
    try wait("no finished volume") { zip(volumes, ends).allSatisfy { $0.newest.number >= $1.generation } }
  }

  /// Looks every 10 ms whether something is there that no event tells of; false where a stop was requested.
  func wait(_ problem: String, until isThere: () -> Bool) throws -> Bool {
    let start = ContinuousClock.now
    while !isThere() {
      if stopRequested() { return false }
      guard ContinuousClock.now - start < limits.idle else { throw StageError.stalled("\(problem) for \(limits.idle)") }
      usleep(10_000)
    }
    return true
  }
}
