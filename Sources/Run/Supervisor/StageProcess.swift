import Glibc
import Host
import RunModel
import Stages
import Topics

/// One stage of a run through all its lives: the process that is alive, how often it was started again, and whether it
/// may be.
struct StageProcess {
  let stage: StageName
  /// Whether the run does without it.
  let isOptional: Bool
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
  /// What the run expects of it; only of a worker it can do without.
  private(set) var standing = WorkerStanding.expected
  /// Whether it was set aside, and has no other chance after this one.
  private(set) var wasSetAside = false
  /// When the next process is started, where the last one died and there is to be another.
  private(set) var restartDue: ContinuousClock.Instant?
  private var watch = HeartbeatWatch(start: .now)
  /// The deaths that count, oldest first.
  private var deaths: [Death] = []
  /// Times that it was started again although it had died too often.
  private(set) var lateRestarts = 0
  private let launch: Launch

  private struct Death {
    let time: ContinuousClock.Instant
    /// How far the stage was.
    let done: UInt64
  }

  /// A stage may die this often within the period; one that dies more often would only die again.
  static let budget = 10
  static let budgetPeriod: Duration = .seconds(60)
  private static let lateRestartPauseMax: Duration = .seconds(30)
  /// A killed process ends within this time, unless it waits for a device that does not answer.
  static let killLimit: Duration = .seconds(5)

  /// Starts the process of a stage's n-th life, from 0, on the cores that it was moved to.
  typealias Launch = (StageName, _ life: Int, _ movedTo: [Int]?) throws -> ChildProcess

  /// `launch` starts each of the stage's processes.
  init(_ stage: StageName, number: Int, isOptional: Bool = false, launch: @escaping Launch) throws {
    self.stage = stage
    self.isOptional = isOptional
    self.number = number
    self.launch = launch
    process = try launch(stage, 0, nil)
  }

  var isRunning: Bool { status == nil }

  /// Whether it has done its work.
  var isDone: Bool { status == .exited(0) }

  /// Whether it has done its work, or nothing more comes of it.
  var isOver: Bool { isDone || standing == .missing }

  /// Whether it has no process and waits for the end of the scan to be tried once more.
  var isWaiting: Bool { standing == .setAside }

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

  /// Takes note of a death by a signal (a trap is one too). Whether the stage may be started again: it has not died too
  /// often lately. Of a worker only deaths count between which it did not get on, for it gets to its end otherwise; and
  /// with work to do they count however long ago they were. A stage that exits with an error has met a reason that it
  /// would meet again.
  mutating func mayRestart(done: UInt64, hasWork: Bool) -> Bool {
    let (now, isWorker) = (ContinuousClock.now, stage.partition != nil)
    deaths.removeAll { death in
      let isStuck = isWorker && hasWork && death.done == done
      return (isWorker && death.done != done) || (now - death.time >= Self.budgetPeriod && !isStuck)
    }
    deaths.append(Death(time: now, done: done))
    return deaths.count <= Self.budget
  }

  /// How often it died, in words.
  var deathCount: String {
    "for the \(deaths.count)th time \(stage.partition == nil ? "in a minute" : "without getting on")"
  }

  /// Has the next processes run elsewhere, with a fresh budget.
  mutating func move(to cores: [Int]) {
    movedTo = cores
    deaths = []
  }

  /// Has it tried elsewhere, with a fresh budget.
  mutating func beginAnew() { deaths = [] }

  /// Has nobody wait for it until the end of the scan.
  mutating func setAside() {
    precondition(!isRunning && !wasSetAside, "\(stage) is set aside")
    (standing, wasSetAside) = (.setAside, true)
  }

  /// Tries it once more, with a fresh budget.
  mutating func retry() {
    precondition(isWaiting, "\(stage) was not set aside")
    standing = .expected
    deaths = []
    scheduleRestart()
  }

  /// Gives up a stage that the run can do without, whatever becomes of it.
  mutating func abandon() {
    precondition(isOptional || stage == .uplink, "the run needs \(stage)")
    (standing, restartDue) = (.missing, nil)
  }

  /// Gives it up for good.
  mutating func giveUp() {
    precondition(!isRunning && wasSetAside, "\(stage) has another chance")
    standing = .missing
  }

  /// Has the next process started soon. Of deaths that follow each other where the stage did not get on, each after the
  /// first few waits longer, so that a stage that cannot live does not keep the machine busy.
  mutating func scheduleRestart() {
    precondition(!isRunning && restartDue == nil, "\(stage) runs")
    let patience = max(0, deaths.reversed().prefix { $0.done == deaths.last?.done }.count - 3)
    restartDue = ContinuousClock.now + (patience > 0 ? .milliseconds(20 << min(patience, 5)) : .zero)
  }

  /// Has the next process started after a pause that doubles with each death beyond the budget.
  mutating func scheduleLateRestart() {
    precondition(!isRunning && restartDue == nil, "\(stage) runs")
    lateRestarts += 1
    restartDue = ContinuousClock.now + min(.seconds(1 << min(lateRestarts - 1, 5)), Self.lateRestartPauseMax)
  }

  /// Starts the next process. The dead one was reaped, so no store of its can follow: its claims can be voided and its
  /// epoch ended.
  mutating func restart(_ regions: RunRegions, fileFolders: [String]) throws {
    for topic in regions.wiring.outputs(of: stage) {
      if let ring = regions.rings[topic] { try TopicTakeover.fence(ring) }
    }
    for folder in fileFolders { try removeTemporaryFiles(in: folder, ofProcess: process.pid) }
    restarts += 1
    regions.heartbeats.reset(number)
    process = try launch(stage, restarts, movedTo)
    watch = HeartbeatWatch(start: .now)
    (status, restartDue) = (nil, nil)
  }
}
