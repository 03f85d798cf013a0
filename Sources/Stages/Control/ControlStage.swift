import Host
import Rings
public import Topics

/// Decides when a scan ends before its source does, and says so once, in `commands`.
///
/// It only ever looks: at the updates of all workers, and at what operators ask for. Whoever takes its place finds the command if there is one,
/// and a request that was not answered yet.
public struct ControlStage {
  private let updates: [TopicReader]
  private let commands: TopicWriter
  private let patience: Patience
  private let requested: () throws -> String?
  private let didWork: () -> Void
  private var isAcquiring = true
  private var hasEnded: [Bool]

  /// One reader for each worker. `requested` gives who asked for the end of the scan, nil where nobody has; `didWork` hears of every update.
  public init(
    updates: [TopicReader], commands: TopicWriter, patience: Patience, requested: @escaping () throws -> String?,
    didWork: @escaping () -> Void
  ) {
    precondition(!updates.isEmpty, "no worker")
    self.updates = updates
    self.commands = commands
    self.patience = patience
    self.requested = requested
    self.didWork = didWork
    hasEnded = updates.map { _ in false }
  }

  /// Runs until all updates have ended.
  public mutating func run() throws {
    var lastEvent = ContinuousClock.now
    while hasEnded.contains(false) {
      if isAcquiring, !isFinalized, let person = try requested() { try finalize(CommandEvent(cause: .person, words: person)) }
      if try follow() { lastEvent = .now }
      guard ContinuousClock.now - lastEvent < patience.idle else { throw StageError.stalled("no update for \(patience.idle)") }
    }
  }

  /// Whether this stage or a predecessor has given the order: a run has one.
  private var isFinalized: Bool { commands.nextSequence > 0 }

  private func finalize(_ command: CommandEvent) throws {
    FaultPoint.commandBefore.reach()
    try commands.append(kind: .command, timeout: patience.room, command.encode)
    try commands.flush()
    FaultPoint.commandAfter.reach()
    didWork()
  }

  /// Reads what the workers have reported, waiting a moment for it; whether there was anything.
  private mutating func follow() throws -> Bool {
    var sawEvent = false
    for worker in updates.indices where !hasEnded[worker] {
      while let event = try updates[worker].next(timeout: sawEvent ? .zero : Patience.glance / updates.count) {
        try apply(event, worker: worker)
        try updates[worker].release(upTo: event.header.sequence + 1)
        sawEvent = true
        didWork()
        if hasEnded[worker] { break }
      }
    }
    return sawEvent
  }

  private mutating func apply(_ event: Event, worker: Int) throws {
    switch event.header.kind {
    case .update: if try UpdateEvent(decoding: event.metadata).phase == .final { isAcquiring = false }
    case .end: (hasEnded[worker], isAcquiring) = (true, false)
    default: throw StageError.disorder("\(event.header.kind) in updates.\(worker) at \(event.header.sequence)")
    }
  }
}
