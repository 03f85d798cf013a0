import Host
import Rings
package import RunModel
package import Topics

/// Decides when a scan ends before its source does, and says so once, in `commands`: when an operator asks for it, when
/// the volume changes no more, or when it gets worse. What it saw is in `scores`.
///
/// It only ever looks, at the updates of all workers, the slices that they keep, what nodes say of theirs, and what
/// operators ask for, so nothing that happens to it changes a volume but for the moment at which the scan ends. Whoever
/// takes its place finds the command if there is one, and a request that was not answered yet; it counts the residual's
/// rises over again, and goes on behind the last score of each worker.
package struct ControlStage {
  private let configuration: ControlConfiguration
  private let updates: [TopicReader]
  private let commands: TopicWriter
  private let scores: TopicWriter
  private let limits: WaitLimits
  private let standing: (Int) -> WorkerStanding
  private let uplink: () -> UplinkReport?
  private let requested: () throws -> String?
  private let didWork: () -> Void
  private var sliceScores: SliceScores?
  private var nodeScores: NodeScores?
  private var rises: ResidualRises
  private var isAcquiring = true

  /// One reader for each worker, and one monitored slice, or none where slices are not compared. `standing` says what
  /// is expected of each worker; `uplink` gives what nodes say, where the configuration needs that; `requested` gives
  /// who asked for the end of the scan, nil where nobody has; `didWork` hears of every update.
  package init(
    configuration: ControlConfiguration, updates: [TopicReader], slices: [MonitoredSlice], commands: TopicWriter,
    scores: TopicWriter, uplink: @escaping () -> UplinkReport? = { nil },
    limits: WaitLimits, standing: @escaping (Int) -> WorkerStanding = { _ in .expected },
    requested: @escaping () throws -> String?, didWork: @escaping () -> Void
  ) throws {
    precondition(
      !updates.isEmpty && (slices.isEmpty || slices.count == updates.count),
      "\(updates.count) workers, \(slices.count) slices")
    self.configuration = configuration
    self.updates = updates
    self.commands = commands
    self.scores = scores
    self.limits = limits
    self.standing = standing
    self.uplink = uplink
    self.requested = requested
    self.didWork = didWork
    rises = ResidualRises(workers: updates.count)
    if !slices.isEmpty {
      let (own, nodes) = try Self.lastScores(scores, of: updates.count)
      sliceScores = SliceScores(configuration, slices: slices, after: own)
      if configuration.hearsNodes {
        nodeScores = NodeScores(workers: updates.count, after: nodes, now: Machine.realtime)
      }
    }
  }

  /// The scores of a predecessor and those of nodes, the newest first, back to where each worker has one, or to the
  /// first of all that are there.
  private static func lastScores(
    _ scores: TopicWriter, of workers: Int
  ) throws -> (own: [ScoreEvent], nodes: [ScoreEvent]) {
    var (found, nodes): ([ScoreEvent], [ScoreEvent]) = ([], []), seen = Set<Int>()
    var sequence = scores.nextSequence
    while sequence > 0, seen.count < workers {
      sequence -= 1
      guard let (header, metadata) = try scores.event(at: sequence) else { break }
      guard header.kind == .score else { continue }
      let score = try metadata.withUnsafeBytes { try ScoreEvent(decoding: $0) }
      guard score.worker < workers else {
        nodes.append(score)
        continue
      }
      found.append(score)
      seen.insert(score.worker)
    }
    return (found, nodes)
  }

  /// Runs until all updates have ended.
  package mutating func run() throws {
    // A predecessor may have died between the score that decides and its decision.
    if nodeScores == nil, let last = sliceScores?.last { try decide(after: last) }
    var follower = UpdateFollower(updates: updates, limits: limits, standing: standing, didWork: didWork)
    while !follower.hasEnded {
      if let person = try requested(), isDeciding { try finalize(CommandEvent(cause: .person, words: person)) }
      try hear()
      try follower.poll { update, worker in
        if update.phase == .final { isAcquiring = false }
        try watchResidual(update, worker: worker)
        try look(at: worker, after: update)
      } caughtUp: { _, hasEnded in
        if hasEnded { isAcquiring = false }
      }
    }
  }

  /// Whether there is something left to decide: neither this stage nor a predecessor has given the order, of which a
  /// run has one.
  private var isDeciding: Bool { isAcquiring && commands.nextSequence == 0 }

  private func finalize(_ command: CommandEvent) throws {
    FaultPoint.commandBefore.reach()
    try commands.append(kind: .command, timeout: limits.room, command.encode)
    try commands.flush()
    FaultPoint.commandAfter.reach()
    didWork()
  }

  private mutating func watchResidual(_ update: UpdateEvent, worker: Int) throws {
    let count = rises.count(update, worker: worker)
    guard let limit = configuration.risesMax, count >= limit, isDeciding else { return }
    let words = "control: divergence, the residual of worker \(worker) rose \(count) times in a row"
    try finalize(CommandEvent(cause: .divergence, projections: update.projections.upperBound, words: words))
  }

  private mutating func look(at worker: Int, after update: UpdateEvent) throws {
    let counted = counted
    for score in sliceScores?.look(at: worker, after: update, amongst: counted) ?? [] {
      try scores.append(kind: .score, timeout: limits.room, score.encode)
      FaultPoint.scored.reach()
      try decide(after: score)
    }
  }

  /// Takes note of what nodes say, now and then, and decides again where that is something new.
  private mutating func hear() throws {
    guard nodeScores?.isDue() == true else { return }
    let report = uplink()
    let (new, isChanged) = nodeScores?.take(report, now: Machine.realtime) ?? ([], false)
    for score in new { try scores.append(kind: .score, timeout: limits.room, score.encode) }
    if isChanged, let last = sliceScores?.last { try decide(after: last) }
  }

  /// Workers whose scores count. One that is set aside makes none, and the scan does not go on for its sake.
  private var counted: [Int] { updates.indices.filter { standing($0) == .expected } }

  private func decide(after score: ScoreEvent) throws {
    guard isDeciding, configuration.decides, sliceScores?.areSimilar(amongst: counted) == true,
      let (score, similarity) = agreed(score), score.projections >= configuration.endedFrom,
      let limit = configuration.similarityMin, let similarity
    else { return }
    let words =
      "control: MS-SSIM \(rounded(similarity)) reached \(limit) after \(score.projections) projections"
      + (nodeScores?.words ?? "")
    let acquiredAt = sliceScores?.acquiredAt(score) ?? 0, now = Machine.realtimeNanoseconds
    let late = acquiredAt > 0 && acquiredAt < now ? (now - acquiredAt) / 1_000_000 : nil
    try finalize(
      CommandEvent(
        cause: .similarity, projections: score.projections, late: late.map { Int(clamping: $0) }, words: words))
  }

  /// The score that decides, and the lowest similarity: `score`, or where nodes have granules that of the newest window
  /// which everybody has scored, if it is similar everywhere.
  private func agreed(_ score: ScoreEvent) -> (ScoreEvent, Double?)? {
    guard let nodeScores, let sliceScores else { return (score, score.similarity) }
    guard let said = nodeScores.said else { return nil }
    guard !said.isEmpty else { return (score, score.similarity) }
    let all = sliceScores.newest(amongst: counted) + said
    return NodeScores.agreed(all, patience: configuration.patience, spacing: configuration.looks.spacing).map {
      ($0, all.compactMap(\.similarity).min())
    }
  }

  /// To four decimals, down, so that what reached a limit does not look lower, nor higher than it is.
  private func rounded(_ score: Double) -> Double { (score * 1e4).rounded(.down) / 1e4 }
}
