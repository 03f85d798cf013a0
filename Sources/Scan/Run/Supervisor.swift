import Glibc
public import Host
import Logging
import Rings
public import Stages

/// What a run tells the person who started it.
public protocol RunMonitor {
  /// How far the run is; called several times a second.
  func progress(_ status: RunStatus)
}

/// Starts a run's stages, each as its own process, and sees the run to its end.
///
/// A stage that ends before its work is done fails the run: the others are stopped, nothing half-written stays, and the failure names
/// the stage. A first SIGINT or SIGTERM ends the acquisition, and everything that was acquired is reconstructed and exported; a second
/// one aborts.
public final class Supervisor {
  private let plan: RunPlan
  private let folder: RunFolder
  private let executable: String
  private let signals: SignalDescriptor
  private let monitor: any RunMonitor
  private let log: Logger
  private var children: [(stage: StageName, process: ChildProcess, status: ExitStatus?)] = []
  private var signalCount = 0

  private static let tick: Duration = .milliseconds(100)
  private static let statusPeriod: Duration = .seconds(1)
  /// A stage that was told to stop has this long before it is killed.
  private static let graceLimit: Duration = .seconds(5)

  /// `signals` was made before any thread; `executable` is the program that knows the `stage` command.
  public init(
    plan: RunPlan, folder: RunFolder, executable: String, signals: SignalDescriptor, monitor: any RunMonitor
  ) throws {
    self.plan = plan
    self.folder = folder
    self.executable = executable
    self.signals = signals
    self.monitor = monitor
    log = try Log.supervisor(folder: folder)
  }

  /// Runs to the end; returns what was exported, nil where the scan was ended before its first projection.
  public func run() throws -> (report: ExportReport?, seconds: Double) {
    let regions = try RunRegions(plan)
    let start = ContinuousClock.now
    var observer = ProgressObserver(plan: plan, rings: regions.rings)
    do {
      for stage in StageName.all(plan) { try launch(stage) }
      try watch(from: start, &observer)
    } catch {
      stopAll()
      log.error("\(ScanFailure(error))")
      try writeStatus(status(at: start, .failed))
      throw error
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    var finished = status(at: start, .finished)
    try observer.update(&finished)
    finished.phase = .finished
    try writeStatus(finished)
    let report = access(folder.export, F_OK) == 0 ? try folder.read(ExportReport.self, from: folder.export) : nil
    return (report, seconds)
  }

  private func launch(_ stage: StageName) throws {
    let process = try ChildProcess(
      executable: executable, arguments: ["stage"] + stage.arguments + ["--run-folder", folder.path, "--parent", "\(getpid())"])
    children.append((stage, process, nil))
    log.info("started \(stage)", metadata: ["pid": "\(process.pid)"])
  }

  /// Waits until every stage has ended well.
  private func watch(from start: ContinuousClock.Instant, _ observer: inout ProgressObserver) throws {
    var statusDue = start
    while true {
      let running = children.filter { $0.status == nil }
      if running.isEmpty { return }
      _ = try Poll.wait(readable: running.map(\.process.pidfd) + [signals.descriptor], timeout: Self.tick)
      try reap()
      try handleSignals()
      var status = status(at: start, .scanning)
      try observer.update(&status)
      monitor.progress(status)
      if ContinuousClock.now >= statusDue {
        try writeStatus(status)
        statusDue = .now + Self.statusPeriod
      }
    }
  }

  private func reap() throws {
    for index in children.indices where children[index].status == nil {
      guard let status = try children[index].process.reap() else { continue }
      children[index].status = status
      log.info("ended \(children[index].stage)", metadata: ["status": "\(status)"])
      try Self.judge(status, children[index].stage, pid: children[index].process.pid)
    }
  }

  /// A stage that ended badly fails the run; one that exited has said why itself.
  private static func judge(_ status: ExitStatus, _ stage: StageName, pid: Int32) throws {
    switch status {
    case .exited(0): return
    case .exited(let code): throw StageFailure(exitCode: code)
    case .killed(let signal):
      throw ScanFailure(
        .software, "stage \(stage) (process \(pid)) was killed by signal \(signal); nothing was exported, run the same command again")
    }
  }

  private func handleSignals() throws {
    while let signal = try signals.next() {
      signalCount += 1
      log.notice("received signal \(signal)")
      guard signalCount == 1 else { throw StageFailure(exitCode: 128 + signal) }
      // The acquisition ends; everything behind it finishes with what was acquired.
      for child in children where child.stage == .acquire && child.status == nil { try child.process.signal(SIGTERM) }
    }
  }

  /// Ends every process of the run, first by asking, then by force.
  private func stopAll() {
    for signal in [SIGTERM, SIGKILL] {
      for child in children where child.status == nil { try? child.process.signal(signal) }
      let deadline = ContinuousClock.now + Self.graceLimit
      for index in children.indices where children[index].status == nil {
        children[index].status = (try? children[index].process.waitForExit(timeout: max(.zero, deadline - .now))) ?? nil
      }
    }
  }

  private func status(at start: ContinuousClock.Instant, _ phase: RunStatus.Phase) -> RunStatus {
    RunStatus(
      run: plan.runID.description, phase: phase,
      stages: children.map { .init(name: "\($0.stage)", pid: $0.process.pid, isRunning: $0.status == nil) }, acquired: 0, reconstructed: 0,
      projections: plan.shape.projections, updates: 0, updatesExpected: plan.updateCount, sweptFraction: 0, residual: nil,
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  private func writeStatus(_ status: RunStatus) throws { try folder.write(status, to: folder.status) }
}

/// A stage ended with an error that it has printed itself, or a person aborted the run: nothing is left to say but the code.
public struct StageFailure: Error, Equatable, Sendable {
  /// The process's exit status.
  public let exitCode: Int32
}
