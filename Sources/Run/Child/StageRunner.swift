import Detectors
import Foundation
import Glibc
import Host
import Logging
import Rings
import RunModel
import ScanFiles
package import ScanPlan
import Stages
import Tomography
import Topics

/// The life of a stage's process: attach to the run, do the stage's work, end.
package struct StageRunner {
  private let stage: StageName
  private let folder: RunFolder
  private let plan: RunPlan
  private let names: RegionNames
  private let signals: SignalDescriptor
  private let limits = WaitLimits()
  private let movedTo: [Int]?

  /// A stage that was moved to the cores of others lets them go first: as nice(1) counts.
  private static let movedNiceness: Int32 = 5
  /// And so does a worker on the cores of the acquisition, where that cannot wait: the volume can.
  private static let patientNiceness: Int32 = 10

  /// Reads the run's plan. `parent` is the supervisor: the process ends with it. `movedTo` are cores to use in place of
  /// the planned ones. To be made before any thread is started.
  package init(stage: StageName, folder: RunFolder, parent: Int32, movedTo: [Int]?) throws {
    precondition(movedTo?.isEmpty != true, "a stage needs a core")
    try ChildProcess.dieWithParent(expectedParent: parent)
    signals = try SignalDescriptor(signals: [SIGTERM])
    self.stage = stage
    self.folder = folder
    self.movedTo = movedTo
    plan = try folder.read(RunPlan.self, from: folder.plan)
    names = RegionNames(runID: plan.runID)
    if case .reconstruct(let partition) = stage, !plan.placement.workers.indices.contains(partition) {
      throw ScanFailure(.usage, "the run has no partition \(partition)")
    }
  }

  /// Runs the stage to its end.
  package func run() throws {
    FaultPoint.arm()
    let all = StageName.all(plan)
    guard let number = all.firstIndex(of: stage) else { preconditionFailure("\(stage) is not among \(all)") }
    let heartbeats = try Heartbeats.attach(plan.runID, stageCount: all.count)
    try heartbeats.begin(number)
    defer { heartbeats.finish(number) }
    let log = try Log.stage(stage, plan, folder: folder)
    log.info("started", metadata: ["pid": "\(getpid())"])
    var (firstWork, lastWork): (UInt64?, UInt64?)
    let didWork = {
      lastWork = Machine.monotonicNanoseconds
      guard firstWork == nil else { return }
      firstWork = lastWork
      log.info("first work", metadata: ["nanoseconds": "\(lastWork ?? 0)"])
    }
    do {
      switch stage {
      case .acquire: try acquire(didWork, log)
      case .correct: try correct(didWork, log)
      case .distribute: try distribute(didWork)
      case .reconstruct(let partition): try reconstruct(partition, log, didWork)
      case .control: try control(didWork, log)
      case .denoise: try denoise(didWork)
      case .export: try export(didWork)
      }
    } catch {
      log.error("\(ScanFailure(error))")
      throw error
    }
    let usage = StageUsage(stage: stage, firstWork: firstWork, lastWork: lastWork)
    log.notice("\(StageUsage.message)", metadata: usage.metadata.mapValues { "\($0)" })
  }

  private func acquire(_ didWork: @escaping () -> Void, _ log: Logger) throws {
    try Affinity.pin(cores: plan.placement.serviceCores)
    let source = try plan.makeSource { notice in
      switch notice {
      case .listening: log.notice("\(notice.words)")
      case .disconnected: log.warning("\(notice.words)")
      // The first of each kind tells what is wrong; the ledger counts the others.
      case .dropped(_, _, let count): if count == 1 { log.warning("\(notice.words)") }
      }
    }
    let notice = try plan.scan.hook.map { StopNotice(hook: $0, runID: plan.runID, log: log) }
    let orders = StopOrders(
      commands: try self.reader(.commands, RunPlan.acquireReader, replaying: true), signalReceived: stopRequested,
      willStop: { if let report = notice?.send(reason: $0) { try folder.write(report, to: folder.stop) } })
    let firstFrame = UInt64(plan.scan.firstFrame ?? 0)
    // A detector that does not wait sets the rate itself.
    var stage = AcquireStage(
      source: source, writer: try writer(.projections), rate: plan.live == nil ? plan.scan.rate : nil, limits: limits,
      stopRequested: orders.reason, didWork: didWork,
      didEnd: { try folder.write(LossReport($0, firstFrame: firstFrame), to: folder.losses) })
    try stage.run()
  }

  private func correct(_ didWork: @escaping () -> Void, _ log: Logger) throws {
    guard let configuration = plan.correction else { throw ScanFailure(.usage, "the run filters no projections") }
    let cores = plan.placement.serviceCores
    try Affinity.pin(cores: cores)
    var stage = CorrectStage(
      configuration: configuration,
      projections: try reader(.projections, RunPlan.correctReader, replaying: true, checks: .payload),
      corrected: try writer(.corrected), pool: try ThreadPool(threads: cores.count, cores: cores), limits: limits,
      didWork: didWork)
    let findings = try stage.run()
    log.info(
      "corrected",
      metadata: ["zingers": "\(findings.zingers)", "nonFinite": "\(findings.nonFinite)", "dead": "\(findings.dead)"])
  }

  private func distribute(_ didWork: @escaping () -> Void) throws {
    try Affinity.pin(cores: plan.placement.serviceCores)
    let stage = DistributeStage(
      configuration: plan.distribution,
      projections: try reader(plan.images, RunPlan.distributeReader, replaying: false, checks: .payloadInRing),
      chunks: try plan.placement.workers.indices.map { try writer(.chunks(partition: $0)) }, limits: limits,
      didWork: didWork)
    try stage.run()
  }

  private func reconstruct(_ partition: Int, _ log: Logger, _ didWork: @escaping () -> Void) throws {
    var worker = plan.placement.workers[partition]
    if let movedTo {
      // The bits do not depend on the number of threads.
      (worker.cores, worker.threads) = (movedTo, min(worker.threads, movedTo.count))
      Priority.lower(by: Self.movedNiceness)
    }
    if !plan.sourceWaits, !Set(worker.cores).isDisjoint(with: plan.placement.serviceCores) {
      Priority.lower(by: Self.patientNiceness)
    }
    try Affinity.pin(cores: worker.cores)
    let stage = ReconstructStage(
      configuration: plan.reconstruction(ofWorker: partition),
      chunks: try reader(.chunks(partition: partition), 0, replaying: true),
      projections: try reader(plan.images, RunPlan.reader(ofWorker: partition), replaying: true),
      updates: try writer(.updates(partition: partition)),
      volume: try volume(partition), checkpoint: isDurable ? plan.checkpoint(ofWorker: partition, in: folder) : nil,
      pool: try ThreadPool(threads: worker.threads, cores: worker.cores), limits: limits,
      didWork: didWork)
    guard let failure = try stage.run() else { return }
    log.warning("the finished volume is not saved in the run's folder", metadata: ["reason": "\(failure)"])
  }

  private func control(_ didWork: @escaping () -> Void, _ log: Logger) throws {
    try Affinity.pin(cores: plan.placement.serviceCores)
    let requests = RunRequests(runFolder: folder)
    var stage = try ControlStage(
      configuration: plan.control,
      updates: try plan.placement.workers.indices.map {
        try reader(.updates(partition: $0), RunPlan.controlReader, replaying: true)
      },
      slices: monitoredSlices(), commands: try writer(.commands), scores: try writer(.scores), limits: limits,
      requested: { try requests.requester(.finalize) }, didWork: didWork)
    try stage.run()
  }

  /// When it has work the workers have none, so it runs on their cores.
  private func denoise(_ didWork: @escaping () -> Void) throws {
    let work: DenoiseStage.Work
    switch plan.scan.denoise {
    case .none: throw ScanFailure(.usage, "the run denoises nothing")
    case .method(let method): work = .method(method)
    case .program(let path): work = .program { try runProgram(path) }
    }
    let (cores, threads) = plan.denoisingPlace
    try Affinity.pin(cores: cores)
    let workers = plan.placement.workers.indices
    let stage = DenoiseStage(
      work: work,
      updates: try workers.map { try reader(.updates(partition: $0), RunPlan.denoiseReader, replaying: true) },
      volumes: try workers.map(volume), output: try denoisedVolume(), writer: try writer(.denoised),
      pool: try ThreadPool(threads: threads, cores: cores), limits: limits, didWork: didWork)
    try stage.run()
  }

  /// Runs a denoising program to its end. It dies with this process, and writes into the stage's own output.
  private func runProgram(_ path: String) throws {
    var environment = ProcessInfo.processInfo.environment
    environment["SLIPRING_RUN"] = names.prefix
    environment["SLIPRING_FAULT"] = nil
    let process = try ChildProcess(
      executable: "/proc/self/exe", arguments: ["program", "--parent", "\(getpid())", path], environment: environment)
    guard let end = try process.waitForExit(timeout: limits.idle) else {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: .seconds(5))
      throw StageError.stalled("\(path) did not end within \(limits.idle)")
    }
    guard end == .exited(0) else { throw StageError.program("\(path) \(end.words)") }
  }

  /// What control compares, where it compares anything.
  private func monitoredSlices() throws -> [MonitoredSlice] {
    guard plan.scan.comparesSlices else { return [] }
    let reference = try plan.scan.reference.map { try VolumeReader(path: $0) }
    return try plan.placement.workers.enumerated().map { partition, worker in
      let truth = try reference.map { try $0.slice(worker.rows.lowerBound + MonitoredSlice.row(of: worker.rows.count)) }
      let scale = Float(plan.pixelSizeMillimetres ?? 1)
      return MonitoredSlice(volume: try volume(partition), truth: truth.map { $0.map { $0 * scale } })
    }
  }

  private func export(_ didWork: @escaping () -> Void) throws {
    try Affinity.pin(cores: plan.placement.serviceCores)
    let workers = plan.placement.workers.indices
    let stage = ExportStage(
      configuration: plan.export(to: folder),
      updates: try workers.map { try reader(.updates(partition: $0), RunPlan.exportReader, replaying: true) },
      commands: try reader(.commands, RunPlan.exportReader, replaying: true), volumes: try workers.map(volume),
      denoised: plan.denoising == nil ? nil : (try reader(.denoised, 0, replaying: true), try denoisedVolume()),
      limits: limits,
      stopRequested: stopRequested, didWork: didWork, losses: folder.readLosses)
    guard let report = try stage.run() else { return }
    FaultPoint.exportAfter.reach()
    try folder.write(report, to: folder.export)
  }

  /// Whether the supervisor asked this stage to stop. Asked from the stage's own thread only.
  private func stopRequested() -> Bool {
    do { return try signals.next() != nil } catch {
      preconditionFailure("the stage's own descriptor of signals: \(error)")
    }
  }

  private func ring(_ topic: Topic) throws -> Ring {
    try Ring.attach(name: names.ring(topic), expecting: plan.identity(of: topic))
  }

  private var isDurable: Bool { plan.scan.durability == .durable }

  private func writer(_ topic: Topic) throws -> TopicWriter {
    try isDurable ? TopicWriter(ring: ring(topic), folder: folder.journal(topic)) : TopicWriter(ring: ring(topic))
  }

  /// The reader that goes on where its predecessor's cursor is, or with `replaying` reads the topic from its first
  /// event.
  private func reader(_ topic: Topic, _ number: Int, replaying: Bool, checks: TopicReader.Checks = .header) throws
    -> TopicReader
  {
    let ring = try ring(topic)
    let history = isDurable ? try TopicHistory(folder: folder.journal(topic), specification: ring.specification) : nil
    let reader = try RingReader(ring: ring, reader: number, from: replaying && !isDurable ? 0 : nil)
    return try TopicReader(reader, history: history, replaying: replaying, checks: checks)
  }

  private func denoisedVolume() throws -> DenoisedVolume {
    try DenoisedVolume.attach(
      name: names.denoisedVolume, runID: plan.runID, slices: plan.shape.rows, columns: plan.shape.columns)
  }

  private func volume(_ partition: Int) throws -> VolumeRegion {
    try VolumeRegion.attach(
      name: names.volume(partition), runID: plan.runID, partition: partition, layout: plan.layout(ofWorker: partition))
  }
}

extension VolumeReader {
  /// Slice `z` in the unit of the file.
  fileprivate func slice(_ z: Int) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: columns * columns) { buffer, count in
      try readSlice(z, into: UnsafeMutableBufferPointer(rebasing: buffer[..<(columns * columns)]))
      count = columns * columns
    }
  }
}
