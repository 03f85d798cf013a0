import Detectors
import Glibc
package import Host
import Logging
import Rings
import RunModel
import ScanPlan
import Stages

/// Starts a run's stages, each as its own process, and sees the run to its end.
///
/// A stage that is killed is started again and goes on where it was: what it had done is in the rings and the volume,
/// which belong to the supervisor. A stage that gives no sign of life is killed. A worker that dies too often is set
/// aside, tried once more after the scan, and then done without; so is an uplink, after longer and longer pauses. Any
/// other stage that exits with an error, or dies too often, fails the run: the others are stopped, nothing half-written
/// stays, and the failure names the stage. A first SIGINT or SIGTERM ends the acquisition, and everything that was
/// acquired is reconstructed and exported; a second one aborts.
final class Supervisor {
  let plan: RunPlan
  let folder: RunFolder
  private let cleanUp: @Sendable () -> Void
  private let finishes: Bool
  private let executable: String
  private let signals: SignalDescriptor
  let monitor: any RunMonitor
  private let events: RunEvents?
  private let programs: UserPrograms
  private let faults: FaultOrders
  let log: Logger
  var stages: [StageProcess] = []
  /// Rows that are given up.
  var missing: [MissingRows] = []
  private(set) var signalCount = 0
  private var hasSpilled = false
  private var spilledBefore: UInt64 = 0
  private var service: ServiceReports
  private var lastStep = 0
  private var isFinalized = false
  private var isStopNoticed = false
  /// Whether images do not get on to nodes, as far as people know, and whether they were given up.
  var (isUplinkAway, isUplinkEnding, isPartsNoticed) = (false, false, false)
  /// Whether people know that the uplink dies too often.
  var isUplinkDelayed = false
  let requests: RunRequests
  /// Who makes which bands, and what came of the last request for other workers.
  var bands: BandKeeper
  var workersAnswer: WorkersAnswer?
  /// Workers that come while the run is behind; nil where none do.
  var catchUp: CatchUp?
  var room: RoomWatch
  /// Copies of journals that the run goes on without, as far as people know.
  var knownLost: Set<String> = []
  /// Reads the journals again while the run goes on.
  var scrubber: RunScrubber?
  /// Codes what is sealed of the journals.
  var coder: RunCoder?
  /// Why messages of the source were dropped, and what was wrong with the first of each, as far as people know.
  var knownFaults: [MessageFault: String] = [:]
  /// Whether people know that the source ended the scan early, and with which frame it began.
  var (isInterrupted, isRemarked, isGivenUpTold, isBeginningKnown) = (false, false, false, false)
  /// Why the status could not be written; nil where it was.
  var statusFailure: FileError?
  /// Alarms that people know, by their triggers, and the next event of the topic.
  var (alarms, alarmsRead): ([String: RunStatus.AlarmStatus], UInt64?) = ([:], nil)
  /// What views had written before the rings of this process were made; nil before the first look.
  var viewsBefore: [Int: ViewEvent]?
  /// What was last seen of the run; nil before the first look.
  private(set) var newestStatus: RunStatus?
  private var regionFolder = ""

  /// Rows that could not be reconstructed, and why.
  struct MissingRows {
    let rows: RowRange
    let why: String
  }

  /// How a run ended.
  struct RunEnding {
    /// What was exported; nil where the scan was ended before its first projection.
    let report: ExportReport?
    /// From the start of the stages to the end of the last one.
    let seconds: Double
    /// How long it was without room on disk.
    let secondsWithoutRoom: Double
    /// Copies of journals that it went on without; nil for none.
    let copiesLost: [String]?
    /// What reading journals again came to; nil where nothing was read.
    let scrub: ScrubStatus?
    /// What coding them came to; nil where that was not asked for.
    let coding: CodingStatus?
    /// How often each stage was started again.
    let restarts: [String: Int]
    /// Whether a signal asked for the end, in time or not.
    let isInterrupted: Bool
    /// Who or what ended the scan before its source did, but for a signal.
    let finalized: String?
    /// What was wrong with messages of the source that were dropped, by their faults' names.
    let faults: [String: String]
    /// What the volume lacks.
    let missing: [MissingRows]
    /// How far the views came; nil where there are none.
    let views: [ViewStatus]?
    /// How programs of people ended; nil where there were none.
    let programs: [ProgramStatus]?
    /// What is told of triggers that watched nothing; nil for none.
    let unseenTriggers: [String]?
  }

  private static let tick: Duration = .milliseconds(100)
  private static let statusPeriod: Duration = .seconds(1)
  /// From one region to the next; one that is large may take longer.
  private static let regionsGrace: Duration = .milliseconds(200)

  /// `signals` was made before any thread; `executable` is the program that knows the `stage` command. `cleanUp` is
  /// for a process that a signal ends while the regions are made. What the first signal leaves of a scan is finished,
  /// or with `finishes` false given up.
  init(
    plan: RunPlan, folder: RunFolder, executable: String, signals: SignalDescriptor, monitor: any RunMonitor,
    events: RunEvents?, cleanUp: @escaping @Sendable () -> Void, finishes: Bool
  ) throws {
    self.plan = plan
    self.folder = folder.mirrored(by: plan)
    self.cleanUp = cleanUp
    self.finishes = finishes
    self.executable = executable
    self.signals = signals
    self.monitor = events.map { RunMonitors([monitor, $0]) } ?? monitor
    self.events = events
    requests = RunRequests(runFolder: folder)
    bands = BandKeeper(BandDeal(plan.placement), isElastic: plan.scan.bands != nil)
    catchUp = plan.scan.catchUp.map {
      CatchUp(most: $0, lagMax: plan.distribution.lagMax, latencyMax: plan.distribution.latencyMax)
    }
    room = RoomWatch(folder: folder, outputFolder: plan.scan.outputFolder)
    faults = try FaultOrders()
    log = Log.supervisor(plan, folder: folder)
    programs = UserPrograms(plan.scan, executable: executable, folder: folder, log: log, self.monitor)
    service = ServiceReports(log: log)
  }

  /// Runs to the end.
  func run() throws -> RunEnding {
    let regions = try makeRegions()
    regionFolder = regions.names.folder ?? ""
    let start = ContinuousClock.now
    var observer = ProgressObserver(plan: plan, folder: folder, rings: regions.rings)
    beginView(regions)
    for problem in Log.problems(plan, folder: folder) {
      log.warning("\(problem)")
      monitor.alarm(.disk, problem)
    }
    do {
      for (number, stage) in plan.wiring.stages.enumerated() {
        stages.append(
          try StageProcess(
            stage, number: number, isOptional: plan.wiring.row(of: stage)?.isOptional == true, launch: launch))
      }
      programs.begin(regions: regions.names.prefix)
      scrubber = makeScrubber()
      coder = makeCoder()
      try watch(regions, from: start, &observer)
      // The volume is complete, and stays until they have seen it.
      try programs.finish(lookUp)
      try programs.save(lookUp)
      try coder?.finish(lookUp)
    } catch {
      scrubber?.stop()
      coder?.stop()
      programs.stop()
      service.stopping("\(ScanFailure(error))")
      stopAll()
      drainAcquired(regions)
      log.error("\(ScanFailure(error))")
      // The disk may be what failed, and the first error is the one to tell.
      do { try writeLastStatus(failed(status(at: start, .failed))) } catch { log.error("\(ScanFailure(error))") }
      throw error
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let finished = try lastStatus(regions, from: start, &observer)
    monitor.progress(finished)
    try writeLastStatus(finished)
    service.stopping(finished.phase.rawValue)
    return RunEnding(
      report: try folder.readExport(), seconds: seconds, secondsWithoutRoom: finished.secondsWithoutRoom,
      copiesLost: finished.copiesLost, scrub: finished.scrub, coding: finished.coding,
      restarts: Dictionary(uniqueKeysWithValues: stages.map { ("\($0.stage)", $0.restarts) }),
      isInterrupted: signalCount > 0, finalized: finished.finalized, faults: finished.faultDetails ?? [:],
      missing: missing, views: finished.views, programs: finished.programs,
      unseenTriggers: finished.unseenTriggers)
  }

  /// What has to be seen to while nothing but the end is waited for.
  private func lookUp() throws {
    try handleSignals()
    if let status = newestStatus { service.turn(status) }
  }

  /// Makes the regions, and puts the folder in order. A signal that comes meanwhile ends the process, which leaves no
  /// region behind.
  private func makeRegions() throws -> RunRegions {
    let cleanUp: @Sendable () -> Void = { [plan, cleanUp] in
      RunRegions.removeOwn(plan)
      cleanUp()
    }
    return try signals.endingProcess(grace: Self.regionsGrace, cleanUp: cleanUp) { watch in
      let regions = try RunRegions(plan, folder: folder, lookUp: watch.throwIfSignalled)
      // Now that this is the only supervisor.
      try folder.removeLeftovers(plan)
      try requests.withdraw(.abort)
      try requests.answerWorkers()
      return regions
    }
  }

  /// Hands the monitor what it may look at. A run does not fail because it cannot be looked at.
  private func beginView(_ regions: RunRegions) {
    do {
      monitor.began(try RunView(plan: plan, folder: folder, names: regions.names, rings: regions.rings))
    } catch {
      log.warning("cannot show the volume: \(ScanFailure(error))")
    }
  }

  private func launch(_ stage: StageName, life: Int, movedTo cores: [Int]?) throws -> ChildProcess {
    let place = cores.map { ["--moved-to", $0.map(String.init).joined(separator: ",")] } ?? []
    let process = try ChildProcess(
      executable: executable,
      arguments: ["stage"] + stage.arguments + [
        "--run-folder", folder.path, "--regions", regionFolder, "--parent", "\(getpid())", "--program",
        OwnProgram.build,
      ] + place,
      environment: faults.environment(of: stage, life: life), blockedSignals: [SIGTERM])
    log.info("started \(stage)", metadata: ["pid": "\(process.pid)", "life": "\(life)"])
    return process
  }

  /// Waits until every stage has ended well, or is done without.
  private func watch(_ regions: RunRegions, from start: ContinuousClock.Instant, _ observer: inout ProgressObserver)
    throws
  {
    var statusDue = start
    while true {
      if areNeededOver { return try endOptional() }
      let running = stages.filter(\.isRunning)
      let due = stages.compactMap(\.restartDue).map { max(.zero, $0 - .now) }.min() ?? Self.tick
      _ = try Poll.wait(
        readable: running.map(\.process.pidfd) + [signals.descriptor], timeout: min(due, Self.tick))
      try handleSignals()
      try obeyAbort()
      // Before anything touches them: what somebody cut off would end this process as well.
      try regions.checkSizes()
      for index in stages.indices { try look(at: index, regions) }
      try retrySetAside(regions)
      let isAnswered = try seeToBands(observer, regions)
      programs.look()
      var status = status(at: start, .scanning)
      watchUplink(&status)
      try observer.update(&status)
      watchRoom(regions, &status)
      watchCopies(&status)
      watchScrub(scrubber, &status)
      watchCoding(coder, &status)
      watchSource(regions, &status)
      watchOptional(regions, &status)
      noticeSpilling(status, slowest: observer.slowestReader)
      noticeStep(status)
      noticeEnd(status)
      try noticeStop()
      newestStatus = status
      monitor.progress(status)
      service.turn(status)
      if isAnswered || ContinuousClock.now >= statusDue {
        try writeStatus(status)
        if isAnswered { try requests.answerWorkers() }
        statusDue = .now + Self.statusPeriod
      }
    }
  }

  /// Says once that a worker cannot keep up, and what becomes of it. Where the disk is full all of them wait.
  private func noticeSpilling(_ status: RunStatus, slowest: StageName?) {
    let spills = status.spilled > spilledBefore
    spilledBefore = status.spilled
    guard spills, !hasSpilled, status.withoutRoom.isEmpty else { return }
    hasSpilled = true
    let slowest = slowest.map { "\($0)" } ?? "a stage"
    log.warning("the ring of projections is full", metadata: ["slowest": "\(slowest)"])
    monitor.alarm(.lag, "\(slowest) does not keep up: projections wait for it on disk, and none is lost")
  }

  /// Logs each decision to make updates more or less often.
  private func noticeStep(_ status: RunStatus) {
    guard status.step != lastStep else { return }
    if lastStep != 0, status.step != 0 {
      log.notice("an update every \(status.step) projections", metadata: ["lag": "\(status.lag)"])
    }
    lastStep = status.step
  }

  /// Says once that the scan was ended before its source, and by whom.
  private func noticeEnd(_ status: RunStatus) {
    guard let reason = status.finalized, !isFinalized else { return }
    isFinalized = true
    log.notice("\(reason)")
    monitor.notice("\(reason): finishing with what was acquired")
  }

  /// Says once what came of telling the detector.
  private func noticeStop() throws {
    guard plan.scan.stopHook != nil, !isStopNoticed, isFinalized || signalCount > 0, let report = try folder.readStop()
    else { return }
    isStopNoticed = true
    monitor.notice(report.words)
  }

  /// Throws where somebody asked for the end of everything.
  private func obeyAbort() throws {
    guard let person = try requests.requester(.abort) else { return }
    throw ScanFailure(.temporary, "aborted by \(person); \(plan.whatIsKept)")
  }

  private func handleSignals() throws {
    while let signal = try signals.next() {
      log.notice("received signal \(signal)")
      if try endUplink() { continue }
      signalCount += 1
      guard finishes, signalCount == 1 else { throw StageFailure(signal: signal) }
      monitor.notice("finishing with what was acquired; interrupt again to abort")
      // The acquisition ends; everything behind it finishes with what was acquired.
      for stage in stages where stage.stage == .acquire && stage.isRunning { try stage.process.signal(SIGTERM) }
    }
  }

  func status(at start: ContinuousClock.Instant, _ phase: RunStatus.Phase) -> RunStatus {
    RunStatus(
      run: plan.runID.description, phase: phase,
      stages: stages.map {
        .init(
          name: "\($0.stage)", pid: $0.process.pid, isRunning: $0.isRunning, restarts: $0.restarts, hangs: $0.hangs,
          movedTo: $0.movedTo, standing: $0.standing == .expected ? nil : $0.standing)
      },
      acquired: 0, reconstructed: 0, projections: plan.shape.projections, updates: 0, updatesExpected: plan.updateCount,
      sweptFraction: 0,
      residual: nil, notices: plan.notices, missingRows: missing.isEmpty ? nil : missing.map(\.rows),
      programs: programs.report, events: events?.report, workers: bands.report { rows(of: .reconstruct($0)) },
      workersAnswer: workersAnswer,
      bandMoves: bands.moves, catchUp: catchUp?.report, seconds: (ContinuousClock.now - start) / .seconds(1))
  }
}

/// A stage ended with an error that it has printed itself, or a person interrupted the run: for who sees what stages
/// print, nothing is left to say but the code.
package struct StageFailure: SysExitError, Equatable {
  /// The process's exit status.
  package let exitCode: Int32
  /// What happened, for who does not see what stages print.
  package let description: String

  /// Of a process that ended so, for `reason` as it has said itself; nil where that is not known.
  package init(exitCode: Int32, reason: String? = nil) {
    self.exitCode = exitCode
    description = reason ?? "a stage failed; its log says why"
  }

  /// The code of a process that a signal ends.
  package init(signal: Int32) { self.init(exitCode: 128 + signal, reason: "ended by signal \(signal)") }

  /// Whether a signal to this program is why.
  package var isInterrupt: Bool { exitCode > 128 }

  package var sysExit: SysExit { isInterrupt ? .temporary : SysExit(rawValue: exitCode) ?? .software }
}

extension SignalWatch {
  /// For work that ends by itself where a signal came: throws `StageFailure` then.
  func throwIfSignalled() throws {
    if let signal { throw StageFailure(signal: signal) }
  }
}

extension SignalDescriptor {
  /// For work that has nothing to save: throws `StageFailure` where a signal came.
  package func stopOnSignal() throws {
    if let signal = try next() { throw StageFailure(signal: signal) }
  }
}
