import Rings
import RunModel
import Topics

/// Follows the updates of all workers to their end: the loop of every stage behind `reconstruct`.
struct UpdateFollower {
  /// Workers from whom no end will come, in their order: their rows are missing.
  private(set) var missing: [Int] = []
  private let updates: [TopicReader]
  private let limits: WaitLimits
  private let standing: (Int) -> WorkerStanding
  private let didWork: () -> Void
  private var endOf: [EndEvent?]
  private var lastEvent = ContinuousClock.now
  /// Of each worker, the first event that no predecessor had applied.
  private let firstNew: [UInt64]

  /// One reader for each worker; `standing` says what is expected of each, `didWork` hears of every event that no
  /// predecessor had applied.
  init(
    updates: [TopicReader], limits: WaitLimits, standing: @escaping (Int) -> WorkerStanding,
    didWork: @escaping () -> Void
  ) {
    precondition(!updates.isEmpty, "a run has a worker")
    (self.updates, self.limits, self.standing, self.didWork) = (updates, limits, standing, didWork)
    endOf = updates.map { _ in nil }
    firstNew = updates.map(\.cursor)
  }

  /// Whether the updates of every worker have ended, but for those that are missing.
  var hasEnded: Bool { ends.count + missing.count == updates.count }

  /// How the updates ended, of those workers whose have, in the workers' order.
  var ends: [EndEvent] { endOf.compactMap { $0 } }

  /// What there is of all workers but those that are missing, in their order.
  func present<Part>(of parts: [Part]) -> [Part] {
    precondition(parts.count == updates.count, "\(parts.count) parts of \(updates.count) workers")
    return parts.indices.filter { !missing.contains($0) }.map { parts[$0] }
  }

  /// Applies what the workers have reported, each worker's in its order, waiting a moment for it. `caughtUp` hears of a
  /// worker whose reports were all applied, at least one in this turn, and whether its updates have ended. An event is
  /// given back when it was applied.
  mutating func poll(
    _ apply: (_ update: UpdateEvent, _ worker: Int) throws -> Void,
    caughtUp: (_ worker: Int, _ hasEnded: Bool) throws -> Void = { _, _ in }
  ) throws {
    var (sawEvent, isSetAside) = (false, false)
    for worker in updates.indices where endOf[worker] == nil && !missing.contains(worker) {
      // Asked first: where nothing more comes, everything that came is found below.
      let standing = standing(worker)
      if standing == .setAside { isSetAside = true }
      var sawOwn = false
      while endOf[worker] == nil, let event = try next(of: worker, waiting: !sawEvent) {
        switch event.header.kind {
        case .update: try apply(UpdateEvent(decoding: event.metadata), worker)
        case .end: endOf[worker] = try EndEvent(decoding: event.metadata)
        default: throw StageError.disorder("\(event.header.kind) in updates.\(worker) at \(event.header.sequence)")
        }
        try updates[worker].release(upTo: event.header.sequence + 1)
        (sawEvent, sawOwn) = (true, true)
        if event.header.sequence >= firstNew[worker] { didWork() }
      }
      if sawOwn { try caughtUp(worker, endOf[worker] != nil) }
      if standing == .missing, endOf[worker] == nil { missing = (missing + [worker]).sorted() }
    }
    // A worker that is set aside comes back at the end of the scan, however long that takes.
    guard !sawEvent && !isSetAside else { return lastEvent = .now }
    guard !limits.isOver(since: &lastEvent) else {
      throw StageError.stalled("no update for \(limits.idle)")
    }
  }

  private func next(of worker: Int, waiting: Bool) throws -> Event? {
    try updates[worker].next(timeout: waiting ? WaitLimits.pollInterval / updates.count : .zero)
  }
}
