import Glibc
import Host
import Rings
import ScanFiles
import Topics

/// One stage of a run through all its lives: the process that is alive, how often it was started again, and whether it may be.
struct StageProcess {
  let stage: StageName
  private(set) var process: ChildProcess
  /// How the last process ended; nil while it runs.
  private(set) var status: ExitStatus?
  /// Times that the stage was started again.
  private(set) var restarts = 0
  /// When the processes died, as far as the budget looks back.
  private var deaths: [ContinuousClock.Instant] = []
  private let launch: (StageName, Int) throws -> ChildProcess

  /// A stage may die this often within the period; a stage that dies more often would only die again.
  static let budget = 10
  static let budgetPeriod: Duration = .seconds(60)

  /// `launch` starts the process of a stage's n-th life, from 0.
  init(_ stage: StageName, launch: @escaping (StageName, Int) throws -> ChildProcess) throws {
    self.stage = stage
    self.launch = launch
    process = try launch(stage, 0)
  }

  var isRunning: Bool { status == nil }

  /// Takes note of the end of the process, if it came; the status once.
  mutating func reap() throws(HostError) -> ExitStatus? {
    guard status == nil, let ended = try process.reap() else { return nil }
    status = ended
    return ended
  }

  /// Whether the stage may be started again: a signal killed it (a trap is a signal too), and not too often lately. A stage that exits with
  /// an error has met a reason that it would meet again.
  mutating func mayRestart() -> Bool {
    guard case .killed = status else { return false }
    let now = ContinuousClock.now
    deaths = deaths.filter { now - $0 < Self.budgetPeriod } + [now]
    return deaths.count <= Self.budget
  }

  /// Starts the next process. The dead one was reaped, so no store of its can follow: its claims can be voided and its epoch ended. Every
  /// death within the period after the first few waits longer, so that a stage that cannot live does not keep the machine busy.
  mutating func restart(_ regions: RunRegions, fileFolders: [String]) throws {
    for topic in stage.written(workers: regions.workerCount) {
      guard let ring = regions.rings[topic] else { continue }
      let epoch = try ring.grantEpoch()
      try ring.voidClaims(ofEpoch: epoch - 1)
    }
    for folder in fileFolders { try removeTemporaryFiles(in: folder, ofProcess: process.pid) }
    let patience = max(0, deaths.count - 3)
    if patience > 0 { usleep(UInt32(20_000 << min(patience, 5))) }
    restarts += 1
    process = try launch(stage, restarts)
    status = nil
  }
}
