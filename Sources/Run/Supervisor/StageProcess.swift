import Glibc
import Host
import RunModel
import Stages
import Topics

/// One stage of a run through all its lives: the process that is alive, how often it was started again, and whether it
/// may be.
struct StageProcess {
  let stage: StageName
  /// Its place in `RunWiring.stages`.
  let number: Int
  private(set) var process: ChildProcess
  /// How the last process ended; nil while it runs.
  private(set) var status: ExitStatus?
  /// Times that the stage was started again.
  private(set) var restarts = 0
  /// Times that it was killed because it hung.
  private(set) var hangs = 0
  /// Whether the process hangs in the kernel and cannot be killed.
  private(set) var isUnkillable = false
  /// The cores that the stage was moved to, because it could not live on the planned ones.
  private(set) var movedTo: [Int]?
  private var watch = HeartbeatWatch(start: .now)
  /// When the processes died, as far as the budget looks back.
  private var deaths: [ContinuousClock.Instant] = []
  private let launch: Launch

  /// A stage may die this often within the period; a stage that dies more often would only die again.
  static let budget = 10
  static let budgetPeriod: Duration = .seconds(60)
  /// A killed process ends within this time, unless it waits for a device that does not answer.
  static let killLimit: Duration = .seconds(5)

  /// Starts the process of a stage's n-th life, from 0, on the cores that it was moved to.
  typealias Launch = (StageName, _ life: Int, _ movedTo: [Int]?) throws -> ChildProcess

  /// `launch` starts each of the stage's processes.
  init(_ stage: StageName, number: Int, launch: @escaping Launch) throws {
    self.stage = stage
    self.number = number
    self.launch = launch
    process = try launch(stage, 0, nil)
  }

  var isRunning: Bool { status == nil }

  /// Takes note of the end of the process, if it came; the status once.
  mutating func reap() throws(HostError) -> ExitStatus? {
    guard status == nil, let ended = try process.reap() else { return nil }
    status = ended
    return ended
  }

  /// Takes note of the process's sign of life, and kills it where it hangs; then tells for how long it was silent. The
  /// end is reaped as any other. A process that waits inside the kernel can survive this (`isUnkillable`): its memory
  /// must never be used again.
  mutating func killIfHung(_ sign: HeartbeatWatch.Sign) throws(HostError) -> Duration? {
    guard isRunning, let silence = watch.look(sign, at: .now) else { return nil }
    hangs += 1
    try process.signal(SIGKILL)
    isUnkillable = try process.waitForExit(timeout: Self.killLimit) == nil
    return silence
  }

  /// Whether the stage may be started again: a signal killed it (a trap is a signal too), and not too often lately. A
  /// stage that exits with an error has met a reason that it would meet again.
  mutating func mayRestart() -> Bool {
    guard case .killed = status else { return false }
    let now = ContinuousClock.now
    deaths = deaths.filter { now - $0 < Self.budgetPeriod } + [now]
    return deaths.count <= Self.budget
  }

  /// Has the next processes run elsewhere, with a fresh budget.
  mutating func move(to cores: [Int]) {
    movedTo = cores
    deaths = []
  }

  /// Starts the next process. The dead one was reaped, so no store of its can follow: its claims can be voided and its
  /// epoch ended. Every death within the period after the first few waits longer, so that a stage that cannot live does
  /// not keep the machine busy.
  mutating func restart(_ regions: RunRegions, fileFolders: [String]) throws {
    for topic in regions.wiring.outputs(of: stage) {
      if let ring = regions.rings[topic] { try TopicTakeover.fence(ring) }
    }
    for folder in fileFolders { try removeTemporaryFiles(in: folder, ofProcess: process.pid) }
    let patience = max(0, deaths.count - 3)
    if patience > 0 { usleep(UInt32(20_000 << min(patience, 5))) }
    restarts += 1
    regions.heartbeats.reset(number)
    process = try launch(stage, restarts, movedTo)
    watch = HeartbeatWatch(start: .now)
    status = nil
  }
}
