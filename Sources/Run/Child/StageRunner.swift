package import Detectors
import Foundation
import Glibc
package import Host
package import Logging
package import Rings
package import RunModel
import ScanPlan
package import Stages
package import Topics

/// The life of a stage's process: attach to the run, do the stage's work, end.
package final class StageRunner: StageEnvironment {
  /// Whose process this is.
  package let stage: StageName
  /// How long the stage waits for others, while no stage of the run waits for room on disk.
  package let limits: WaitLimits
  /// The stage's log.
  package let log: Logger
  private let folder: RunFolder
  let plan: RunPlan
  private let wiring: RunWiring
  let row: WiringRow
  private let names: RegionNames
  private let signals: SignalDescriptor
  let movedTo: [Int]?
  let number: Int
  let heartbeats: Heartbeats
  private let disk: DiskSign
  /// The workers' lines of the heartbeats.
  let workerNumbers: [Int]
  /// What was known of who has which cores when this process took its own.
  var coresKnown = CoresKnown()
  private var (firstWork, lastWork): (UInt64?, UInt64?)

  /// A worker on the cores of the acquisition lets that go first where it cannot wait: the volume can. As nice(1)
  /// counts.
  private static let patientNiceness: Int32 = 10
  /// A program that is killed ends within this time.
  private static let programKillLimit: Duration = .seconds(5)

  /// Reads the run's plan. `regions` is the run's folder in /dev/shm; `movedTo` are cores to use in place of the
  /// planned ones. To be made before any thread is started, in a process that ends with its supervisor.
  package init(stage: StageName, folder: RunFolder, regions: String, movedTo: [Int]?) throws {
    precondition(movedTo?.isEmpty != true, "a stage needs a core")
    signals = try SignalDescriptor(signals: [SIGTERM])
    self.stage = stage
    self.movedTo = movedTo
    plan = try folder.readPlan()
    self.folder = folder.mirrored(by: plan)
    names = RegionNames(folder: regions)
    wiring = plan.wiring
    workerNumbers = wiring.stages.indices.filter { [stages = wiring.stages] in stages[$0].partition != nil }
    guard let row = wiring.row(of: stage) else { throw ScanFailure(.usage, "the run has no stage \(stage)") }
    self.row = row
    log = Log.stage(stage, plan, folder: folder)
    guard let number = wiring.stages.firstIndex(of: stage) else { preconditionFailure("\(stage) is not wired") }
    self.number = number
    let heartbeats = try Heartbeats.attach(names, plan.runID, stageCount: wiring.stages.count)
    self.heartbeats = heartbeats
    disk = DiskSign(heartbeats, stage: number, log: log)
    limits = WaitLimits { heartbeats.isWaitingForRoom }
    // What it says when it crashes is no reason to do without the stage.
    do {
      if try !folder.armCrashReport(stage) { log.info("there are reports of crashes enough: this process writes none") }
    } catch {
      log.warning("this process will not report a crash", metadata: ["reason": "\(error)"])
    }
  }

  /// Runs the stage to its end.
  package func run() throws {
    FaultPoint.arm()
    // While the process has one thread: what it starts later may run where it may.
    try Affinity.pin(cores: place.cores)
    try heartbeats.begin(number)
    defer { heartbeats.finish(number) }
    log.info("\(Log.startedMessage)", metadata: ["pid": "\(getpid())"])
    do {
      lowerPriority()
      try row.stage.work(in: self)
    } catch {
      log.error("\(ScanFailure(error))", metadata: ["pid": "\(getpid())"])
      throw error
    }
    let usage = StageUsage(stage: stage, firstWork: firstWork, lastWork: lastWork)
    log.notice("\(StageUsage.message)", metadata: usage.metadata.mapValues { "\($0)" })
  }

  private func lowerPriority() {
    guard stage.partition != nil, !plan.sourceWaits, !Set(place.cores).isDisjoint(with: plan.placement.serviceCores)
    else { return }
    Priority.lower(by: Self.patientNiceness)
  }

  private func ring(_ topic: Topic) throws -> Ring {
    try Ring.attach(name: names.ring(topic), expecting: plan.identity(of: topic))
  }

  private var isDurable: Bool { plan.scan.durability == .durable }
}

// What the stage has of its process.
extension StageRunner {
  /// Workers of the run.
  package var workers: Int { plan.placement.workers.count }

  /// What the run was planned with.
  package var settings: any StageSettings { plan }

  /// The writer of a topic, which takes it over from a writer that died.
  package func writer(_ topic: Topic) throws -> TopicWriter {
    precondition(wiring.outputs(of: stage).contains(topic), "\(stage) does not write \(topic.name)")
    guard isDurable else { return try TopicWriter(ring: ring(topic)) }
    return try TopicWriter(
      ring: ring(topic), folder: folder.journal(topic), mirror: folder.mirror(topic, plan),
      room: .init(lost: { [disk] in disk.noteLost($0) }) { [disk] in disk.noteJournal(isFull: $0) })
  }

  /// The reader that goes on where its predecessor's cursor is, or reads the topic from its first event, as the row
  /// says.
  package func reader(_ topic: Topic) throws -> TopicReader {
    guard let number = wiring.readerNumber(of: stage, in: topic),
      let input = wiring.inputs(of: stage).first(where: { $0.topic == topic })?.input
    else { preconditionFailure("\(stage) does not read \(topic.name)") }
    let ring = try ring(topic)
    let history =
      isDurable
      ? try TopicHistory(
        folder: folder.journal(topic), mirror: folder.mirror(topic, plan), specification: ring.specification) : nil
    let reader = try RingReader(ring: ring, reader: number, from: input.replays && !isDurable ? 0 : nil)
    return try TopicReader(reader, history: history, replaying: input.replays, checks: input.checks)
  }

  /// The volume of a worker.
  package func volume(_ worker: Int) throws -> VolumeRegion {
    try VolumeRegion.attach(
      name: names.volume(worker), runID: plan.runID, partition: worker, layout: plan.layout(ofWorker: worker),
      live: plan.liveLayout(ofWorker: worker), coarse: plan.coarseLayout(ofWorker: worker))
  }

  /// The slices of a worker's volume that are compared.
  package func slices(_ worker: Int) throws -> SliceHistory? {
    try plan.sliceHistory.map {
      try SliceHistory.attach(name: names.slices(worker), runID: plan.runID, partition: worker, shape: $0)
    }
  }

  /// Where the solver of a worker's final iterations saves what it knows.
  package func solverStates(_ worker: Int) throws -> SolverStateRegion? {
    try plan.solverStateByteCount(ofWorker: worker).map {
      try SolverStateRegion.attach(
        name: names.solverState(worker), runID: plan.runID, partition: worker, stateByteCount: $0)
    }
  }

  /// An observer of a topic.
  package func observer(_ topic: Topic) throws -> RingObserver { RingObserver(ring: try ring(topic)) }

  /// Looks at a topic, and misses nothing.
  package func follower(_ topic: Topic) throws -> TopicFollower {
    precondition(isDurable, "\(topic.name) has no journal")
    return try TopicFollower(ring(topic), folder: folder.journal(topic), mirror: folder.mirror(topic, plan))
  }

  /// The denoised volume.
  package func denoisedVolume() throws -> DenoisedVolume {
    try DenoisedVolume.attach(
      name: names.denoisedVolume, runID: plan.runID, slices: plan.shape.rows, columns: plan.geometry.columns)
  }

  /// The saved generations of the worker's volume.
  package var checkpoint: VolumeCheckpoint? {
    stage.partition.flatMap { isDurable ? plan.checkpoint(ofWorker: $0, in: folder) : nil }
  }

  /// What the run expects of a worker at present.
  package func standing(ofWorker worker: Int) -> WorkerStanding {
    heartbeats.standing(of: workerNumbers[worker])
  }

  /// Whether the supervisor asked this stage to stop. Asked from the stage's own thread only.
  package func stopRequested() -> Bool {
    do { return try signals.next() != nil } catch {
      preconditionFailure("the stage's own descriptor of signals: \(error)")
    }
  }

  /// Takes note of the first and the last event that was handled, and that no predecessor had handled.
  package func didWork() {
    lastWork = Machine.monotonicNanoseconds
    guard firstWork == nil else { return }
    firstWork = lastWork
    log.info(
      "first work", metadata: ["nanoseconds": "\(lastWork ?? 0)", "bytesRead": "\(Machine.bytesRead ?? 0)"])
  }

  /// Says that a message of the source was dropped.
  package func didDrop(_ fault: MessageFault, _ detail: String?) { heartbeats.note(fault, detail, of: number) }

  /// Says what was assumed of the source.
  package func didRemark(_ words: String) { heartbeats.noteRemark(words, of: number) }

  package func didGiveUp(_ words: String) { heartbeats.noteGivenUp(words, of: number) }

  /// Says why the source ended the scan early.
  package func didInterrupt(_ words: String) { heartbeats.noteInterruption(words, of: number) }

  /// What a predecessor has found out of the source's beginning.
  package var sourceOrigin: SourceOrigin { heartbeats.sourceOrigin }

  /// Says what is known of it.
  package func note(_ origin: SourceOrigin) { heartbeats.note(origin) }

  /// Who asked for the end of the scan.
  package func finalizeRequester() throws -> String? { try RunRequests(runFolder: folder).requester(.finalize) }

  /// What the source has lost.
  package func readLosses() throws -> LossReport? { try folder.readLosses() }

  /// How images stand on their way to nodes.
  package func readUplink() -> UplinkReport? { folder.readUplink() }

  /// Radians of a live source's projections.
  package func liveThetas(_ count: Int) throws -> [Double]? {
    guard plan.live != nil else { return nil }
    return try plan.orderedThetas(count, folder, ring: ring(.orders(partition: 0)))
  }

  /// The rotation axis of a live scan that nobody gave.
  package func foundAxis() throws -> FoundAxis? {
    guard plan.findsAxis else { return nil }
    let ring = try ring(.orders(partition: 0))
    return try plan.orderedAxis(folder, ring: ring, before: ring.progress.published)
  }

  /// Takes note of whether the stage's volume could be saved.
  package func didSave(_ failure: FileError?) { disk.noteSaved(failure) }

  /// Writes the output again until the disk has room for it.
  package var outputRoom: RoomWait {
    RoomWait(isStopped: stopRequested) { [disk] in disk.noteFile(.output, isFull: $0) }
  }

  /// Writes a report into the run's folder, as soon as the disk has room for it. The export gives up where it is asked
  /// to stop; acquire ends with its reports.
  package func write(_ report: some Encodable, as file: StageReport) throws {
    let room = RoomWait(isStopped: { file == .export && self.stopRequested() }) { [disk] in
      disk.noteFile(.report, isFull: $0)
    }
    _ = try room.write { try folder.writeReport(report, to: path(of: file)) }
  }

  /// Writes a report into the run's folder; false where the disk has no room for it.
  package func writeIfRoom(_ report: some Encodable, as file: StageReport) throws -> Bool {
    do {
      try folder.writeReport(report, to: path(of: file))
      return true
    } catch let error as FileError where error.isFull { return false }
  }

  private func path(of file: StageReport) -> String {
    switch file {
    case .losses: folder.losses
    case .stop: folder.stop
    case .export: folder.export
    case .uplink: folder.uplink
    case .parts: folder.parts
    }
  }

  /// The run's figures.
  package func gauges() throws -> GaugesRegion { try GaugesRegion.attach(names, plan.runID) }

  /// Asks for the end of the scan.
  package func finalize(by name: String) throws { try RunRequests(runFolder: folder).finalize(by: name) }

  /// Starts a program that dies with this process.
  package func startProgram(_ path: String, input: Int32? = nil, output: Int32? = nil) throws -> ChildProcess {
    var environment = ProcessInfo.processInfo.environment
    environment["SLIPRING_RUN"] = names.prefix
    environment["SLIPRING_FAULT"] = nil
    return try ChildProcess(
      executable: OwnProgram.executable,
      arguments: ["program", "--parent", "\(getpid())", "--program", OwnProgram.build, path],
      environment: environment, standardInput: input, standardOutput: output)
  }

  /// Runs a program to its end. It dies with this process, and writes into the stage's own output.
  package func runProgram(_ path: String) throws {
    let process = try startProgram(path)
    guard let end = try process.waitForExit(timeout: limits.idle) else {
      try process.killGroup()
      _ = try process.waitForExit(timeout: Self.programKillLimit)
      throw StageError.stalled("\(path) did not end within \(limits.idle)")
    }
    guard end == .exited(0) else { throw StageError.program("\(path) \(end.words)") }
  }
}
