import Host
import Run
import RunModel
import ScanPlan

/// What a finished run left behind, as figures: its stages' logs, and its journals where it has some.
struct StreamFigures {
  private let usages: [StageUsage]
  private let history: RunHistory?

  init(_ folder: RunFolder, durability: Durability) throws {
    usages = try folder.stageUsages()
    history = durability == .durable ? try RunHistory(folder) : nil
  }

  func run(_ result: RunResult, rate: Double?, supervisor: Double) throws -> StreamReport.Run {
    let workers = usages.filter { $0.stage.hasPrefix("reconstruct.") }
    let first = usages.first { $0.stage == "acquire" }?.firstWork
    let ended = usages.first { $0.stage == "export" }?.ended
    guard let first, let ended, let last = workers.compactMap(\.lastWork).max(), last > first else {
      throw ScanFailure(.software, "the run's stages did nothing")
    }
    let seconds = Double(last - first) / 1e9
    var cpuSeconds = Dictionary(uniqueKeysWithValues: usages.map { ($0.stage, $0.cpuSeconds) })
    cpuSeconds["supervisor"] = supervisor
    let durations = history?.updates.joined().map(\.event.duration)
    return StreamReport.Run(
      durability: history == nil ? "memory" : "durable", rateLimit: rate, projections: result.projections,
      updates: result.updates,
      seconds: seconds, projectionsPerSecond: Double(result.projections) / seconds,
      updatesPerSecond: Double(result.updates) / seconds,
      updateShare: durations.map { Double($0.reduce(0, +)) / 1e9 / Double(workers.count) / seconds },
      update: durations.map { Latency($0) },
      latency: history.map { Latency(Self.latencies($0)) }, cpuSeconds: cpuSeconds,
      peakBytes: Dictionary(uniqueKeysWithValues: usages.map { ($0.stage, $0.peakBytes) }), memory: result.memory,
      journalBytes: history?.journalByteCount ?? 0,
      journalMegabytesPerSecond: Double(history?.journalByteCount ?? 0) / 1e6 / seconds,
      exportSeconds: Double(ended - min(ended, last)) / 1e9, restarts: result.restarts)
  }

  /// For each projection the time from its acquisition until every worker's volume had used it.
  private static func latencies(_ history: RunHistory) -> [UInt64] {
    var updatedAt = [UInt64](repeating: 0, count: history.acquiredAt.count)
    for worker in history.updates {
      var next = 0
      for update in worker {
        for projection in max(
          next, update.event.projections.lowerBound)..<max(next, update.event.projections.upperBound)
        where projection < updatedAt.count {
          updatedAt[projection] = max(updatedAt[projection], update.updatedAt)
        }
        next = max(next, update.event.projections.upperBound)
      }
    }
    return zip(history.acquiredAt, updatedAt).compactMap { $1 > $0 ? $1 - $0 : nil }
  }
}
