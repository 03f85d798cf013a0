import Detectors
import Fabric
import Glibc
package import Host
import Journal
import Logging
import Rings
import RunModel
package import ScanPlan
package import Stages

/// One command from a scan file to a volume: plan, refuse or run, report.
package struct Reconstruction {
  private let scan: ScanDescription
  private let command: [String]
  private let signals: SignalDescriptor
  private let overwrites: Bool
  private let abandon: (@Sendable () -> Void)?

  /// What a person sees of it.
  package struct ReconstructionOutcome: Sendable {
    /// For programs.
    package internal(set) var result: RunResult
    /// What the export says; nil where nothing was reconstructed.
    package let report: ExportReport?
    /// Worth a person's attention: replaced pixels, an early stop.
    package internal(set) var notices: [String]
    /// Whether a signal came, also one that came too late to end the acquisition.
    package let isInterrupted: Bool
    /// Why the run is no success all the same: rows are missing. Everything else is exported.
    package internal(set) var failure: ScanFailure?
  }

  /// `command` is kept beside the output. `signals` holds SIGINT and SIGTERM and was made before any thread. With
  /// `overwrites` the result of an earlier run in the output folder makes room for this one's. With `abandon` nobody
  /// wants half of it: the first signal ends the run, and where it ends the process, `abandon` is called before.
  package init(
    _ scan: ScanDescription, command: [String], signals: SignalDescriptor, overwrites: Bool = false,
    abandon: (@Sendable () -> Void)? = nil
  ) {
    self.scan = scan
    self.command = command
    self.signals = signals
    self.overwrites = overwrites
    self.abandon = abandon
  }

  /// Runs the whole pipeline with the stages of `executable`. `notice` receives what is worth knowing before it starts.
  package func run(executable: String, monitor: any RunMonitor, notice: (String) -> Void) throws
    -> ReconstructionOutcome
  {
    // Nothing is made yet, so a signal ends the process at once, but for what its caller has begun.
    var (plan, decisions) = try signals.endingProcess(grace: .milliseconds(200), cleanUp: abandon ?? {}) {
      try makePlan(notice, $0)
    }
    let folder = RunFolder(path: plan.scan.runFolder ?? "").mirrored(by: plan)
    try folder.refuseIfTaken()
    let output = try Self.takeOutput(of: plan, overwrites: overwrites)
    defer { withExtendedLifetime(output) {} }
    try folder.create(topics: scan.durability == .durable ? plan.wiring.topics : [])
    try write(plan, to: folder)
    if let notice = try plan.writeMetadata(to: folder.metadata) {
      decisions.append(notice)
      monitor.notice(notice)
    }
    try RunMirror(plan)?.create(topics: plan.wiring.topics, copying: folder)
    try RunParity(plan)?.create(topics: plan.wiring.topics, copying: folder)
    let cleanUp: @Sendable () -> Void = { [unlock = output.cleanUp, abandon] in
      unlock()
      abandon?()
    }
    try signals.endingProcess(cleanUp: cleanUp) { _ in
      for expired in try folder.removeExpiredSiblings() {
        notice(
          expired.failure.map { "\(expired.path), whose days are over, stays: \($0)" }
            ?? "removed \(expired.path), whose days are over")
      }
    }
    return try Self.supervise(
      plan, folder, output, decisions: decisions, executable: executable, signals: signals, monitor: monitor,
      cleanUp: cleanUp, finishes: abandon == nil)
  }

  /// Answers every question, looks whether there is room, and creates nothing; the plan, and what was decided, in
  /// words.
  private func makePlan(_ notice: (String) -> Void, _ watch: SignalWatch) throws
    -> (plan: RunPlan, decisions: [String])
  {
    let removed = try RunRegions.removeDeadRegions()
    if removed > 0 { notice("removed \(removed) shared-memory regions that dead runs had left") }
    let planner = try Planner(scan, topology: .current())
    try watch.throwIfSignalled()
    var plan = try planner.plan(runID: .random(), command: command)
    let room = try RunRoom(plan), decisions = planner.notices(plan) + room.notices
    for line in decisions { notice(line) }
    plan.notices = decisions
    let shortfalls = room.shortfalls()
    try watch.throwIfSignalled()
    if let shortfall = shortfalls.first { throw shortfall }
    let folder = RunFolder(path: scan.runFolder ?? "\(scan.outputFolder)/run-\(plan.runID.description.prefix(8))")
    try plan.scan.makePathsAbsolute()
    plan.scan.runFolder = folder.path
    plan.noteDisks(runFolder: folder.path)
    return (plan, decisions)
  }

  /// Takes a run over whose supervisor is dead, or the whole machine was: goes on after its journals and checkpoints.
  /// Of a run that is finished it gives the result, and changes nothing. Without `finishes` nobody wants a volume of
  /// what came before a signal: the first one ends the run.
  package static func resume(
    _ folder: RunFolder, overwrites: Bool, executable: String, signals: SignalDescriptor, monitor: any RunMonitor,
    finishes: Bool = true, notice: (String) -> Void
  ) throws -> ReconstructionOutcome {
    let plan = try folder.readPlan(), folder = folder.mirrored(by: plan)
    try folder.refuseIfSupervised()
    guard plan.scan.durability == .durable else {
      throw ScanFailure(
        .usage,
        "the run in \(folder.path) kept its events in memory (--durability memory): there is nothing to resume from")
    }
    if let mirror = RunMirror(plan) { try signals.endingProcess { _ in try mirror.prepare(plan, folder, notice) } }
    if let parity = RunParity(plan) {
      try signals.endingProcess { _ in try parity.prepare(RunJournals(folder, plan), notice) }
    }
    guard access(folder.journals, F_OK) == 0 else {
      throw ScanFailure(
        .noInput,
        "\(folder.journals) is missing, with all that the run had acquired; put it back, or reconstruct the scan anew")
    }
    // All of this can be repeated.
    let finished = try signals.endingProcess { _ in
      if let finished = try Self.finished(plan, folder) { return Optional(finished) }
      try removeDead(plan, folder, notice)
      return nil
    }
    if var finished {
      _ = tellParts(of: plan, &finished, isStopped: signals.isPending)
      notice(
        "the run in \(folder.path) is finished, and nothing was changed; its result is in \(plan.scan.outputFolder)")
      return finished
    }
    let output = try takeOutput(of: plan, overwrites: overwrites)
    defer { withExtendedLifetime(output) {} }
    return try supervise(
      plan, folder, output, executable: executable, signals: signals, monitor: monitor, cleanUp: output.cleanUp,
      finishes: finishes)
  }

  /// Keeps what a dead supervisor left in memory, looks whether what the run relies on is what was written, and removes
  /// that memory.
  private static func removeDead(_ plan: RunPlan, _ folder: RunFolder, _ notice: (String) -> Void) throws {
    do {
      let kept = try RunRegions.drainAcquired(plan, folder)
      if kept > 0 { notice("kept \(counted(kept, "image")) on the way to disk when the run was killed") }
    } catch let error as RingError {
      // Nothing of a ring that somebody has written over can be had. Whatever else it is may be mended, and the images
      // stay until then.
      notice("images that were on their way to disk when the run was killed are lost: \(error)")
    } catch JournalError.refused {
      // They have the chain of the records before them, and the journal goes on without these.
      notice(
        "images that were on their way to disk when the run was killed are lost: they follow what salvage gave up")
    }
    try folder.checkReports(notice: notice)
    try plan.checkInputs()
    let removed = try RunRegions.removeDeadRegions()
    if removed > 0 { notice("removed \(removed) shared-memory regions that dead runs had left") }
    try RunFolder.makeFolder(folder.checkpoints, for: .owner)
    // A run goes on without logs.
    do throws(ScanFailure) { try RunFolder.makeFolder(folder.logFolder, for: .owner) } catch { notice("\(error)") }
  }

  /// What a finished run came to, where its files are still there and its journals whole; nil where there is something
  /// to do, as rows that are missing, or to complain of.
  private static func finished(_ plan: RunPlan, _ folder: RunFolder) throws -> ReconstructionOutcome? {
    let (status, report): (RunStatus, ExportReport?)
    do throws(ScanFailure) {
      guard !folder.isUnfinished else { return nil }
      (status, report) = (try folder.read(RunStatus.self, from: folder.status), try folder.readExport())
    } catch {
      // What cannot be read is made again.
      return nil
    }
    guard try OutputFolder.holdsFiles(of: plan.runID, in: plan.scan.outputFolder),
      report?.missingRows.isEmpty ?? true, report?.outputs.allSatisfy({ access($0, F_OK) == 0 }) ?? true,
      try RunJournals(folder, plan).areWhole
    else { return nil }
    let whole = try folder.readGathered()
    // Parts that were missing then may be there now.
    let isGathered = plan.scan.nodes == nil || plan.scan.gather == .none || whole != nil
    guard isGathered, whole?.outputs.allSatisfy({ access($0, F_OK) == 0 }) ?? true else { return nil }
    let ending = Supervisor.RunEnding(
      report: report, seconds: status.seconds, secondsWithoutRoom: status.secondsWithoutRoom,
      copiesLost: status.copiesLost, scrub: status.scrub, coding: status.coding,
      restarts: Dictionary(status.stages.map { ($0.name, $0.restarts) }, uniquingKeysWith: +), isInterrupted: false,
      finalized: status.finalized, faults: status.faultDetails ?? [:], missing: [], views: status.views,
      programs: status.programs, unseenTriggers: status.unseenTriggers)
    var outcome = outcome(
      plan, ending, WorkerMemory.all(plan, folder), try folder.readLosses(), try folder.readStop(),
      uplink: folder.readUplink())
    if !plan.writesSlices { outcome.result.volumeSHA256 = nil }
    // Who was killed between its last word and its end has left it.
    OutputFolder.removeLockOfNobody(in: plan.scan.outputFolder)
    if let whole { outcome.result.note(whole) }
    return outcome
  }

  /// Takes the output folder for a run, as long as the value that this gives is there.
  private static func takeOutput(of plan: RunPlan, overwrites: Bool) throws -> OutputFolder {
    try OutputFolder(
      plan.scan.outputFolder, run: plan.runID,
      files: plan.export.names(slices: plan.slices) + plan.stageFiles + plan.gatherNames + [
        OutputFolder.configurationName
      ],
      overwrites: overwrites)
  }

  private static func supervise(
    _ plan: RunPlan, _ folder: RunFolder, _ output: OutputFolder, decisions: [String] = [], executable: String,
    signals: SignalDescriptor, monitor: any RunMonitor, cleanUp: @escaping @Sendable () -> Void, finishes: Bool
  ) throws -> ReconstructionOutcome {
    let events = RunEvents.begin(plan, folder, executable: executable, people: monitor)
    let supervisor: Supervisor, ending: Supervisor.RunEnding
    do {
      supervisor = try Supervisor(
        plan: plan, folder: folder, executable: executable, signals: signals, monitor: monitor, events: events,
        cleanUp: cleanUp,
        // A node's part of half a scan fits no other node's.
        finishes: finishes && plan.fabric == nil)
      for line in decisions { supervisor.log.notice("\(line)") }
      do { ending = try supervisor.run() } catch {
        if supervisor.stages.contains(where: \.isUnkillable) { output.leaveName() }
        throw error
      }
    } catch {
      _ = events?.end(nil, error, isStopped: signals.isPending)
      throw error
    }
    var outcome = outcome(
      plan, ending, WorkerMemory.all(plan, folder), try folder.readLosses(), try folder.readStop(),
      uplink: folder.readUplink())
    let isTold = tellParts(of: plan, &outcome, isStopped: signals.isPending)
    try gather(plan, folder, signals: signals, monitor: monitor, into: &outcome)
    outcome.result.events = events?.end(outcome.result, outcome.failure, isStopped: signals.isPending)
    for line in outcome.notices { supervisor.log.warning("\(line)") }
    if let failure = outcome.failure { supervisor.log.error("\(failure)") }
    if plan.findsAxis, let axis = ending.report?.axis, !axis.isGuess {
      try describe(plan, folder, command: plan.command, axis: axis.axis)
    }
    supervisor.log.notice(
      "finished",
      metadata: ["seconds": "\(ending.seconds)", "volumeSHA256": "\(outcome.result.volumeSHA256 ?? "none")"].merging(
        outcome.result.range.map { ["range": "\($0)"] } ?? [:]
      ) { $1 })
    // Nothing is deleted before what replaces it was read back.
    if plan.scan.retain == .none, ending.report?.isChecked == true, outcome.failure == nil, isTold {
      try folder.remove(plan)
    }
    return outcome
  }

  /// Tells the fabric what a node has made; false where it does not know it in the end, which resuming the run repeats.
  private static func tellParts(
    of plan: RunPlan, _ outcome: inout ReconstructionOutcome, isStopped: () -> Bool
  ) -> Bool {
    guard outcome.failure == nil, let report = outcome.report,
      let parts = PartsReport(plan, report, restarts: outcome.result.restarts.values.reduce(0, +))
    else { return true }
    do {
      try SliceReturn(plan, report)?.send(isStopped: isStopped)
      outcome.notices += try parts.tell(isStopped: isStopped)
      return true
    } catch {
      outcome.notices.append("the fabric does not know of these slices, until this run is resumed: \(error)")
      return false
    }
  }

  /// The plan for the stages; the effective configuration for people, also beside the output.
  private func write(_ plan: RunPlan, to folder: RunFolder) throws {
    try folder.write(plan)
    try Self.describe(plan, folder, command: command, axis: plan.knownAxis)
  }

  /// Writes the effective configuration, with the rotation axis where that is known; once more where it was found.
  private static func describe(_ plan: RunPlan, _ folder: RunFolder, command: [String], axis: Double?) throws {
    let yaml = ScanFile.effective(plan.scan, command: command, axisFound: axis)
    try writeFileAtomically(path: folder.description, bytes: Array(yaml.utf8), isPrivate: true)
    guard plan.scan.outputFolder != folder.path else { return }
    try writeFileAtomically(
      path: "\(plan.scan.outputFolder)/\(OutputFolder.configurationName)",
      text: ScanFile.published(plan.scan, command: command, axisFound: axis))
  }

  private static func outcome(
    _ plan: RunPlan, _ ending: Supervisor.RunEnding, _ memory: [String: WorkerMemory], _ losses: LossReport?,
    _ stop: StopReport?, uplink: UplinkReport?
  ) -> ReconstructionOutcome {
    let (report, seconds) = (ending.report, ending.seconds)
    let projections = report?.projections ?? 0
    let beginning = losses?.firstFrame.flatMap(plan.words(forFirstFrame:)).map { [$0] } ?? []
    let reason = ending.finalized ?? (ending.isInterrupted ? EndEvent.Reason.signal : .sourceEnded).word
    let result = RunResult(
      run: plan.runID.description, rotationAxis: report?.rotationAxis ?? plan.detectorAxis,
      rotationAxisError: report?.rotationAxisError ?? plan.rotationAxisError,
      axisTilt: plan.geometry.tiltDegrees, fieldOfView: plan.scan.fieldOfView.rawValue,
      columns: plan.geometry.columns, projections: projections,
      updates: report?.updates ?? 0, seconds: seconds,
      secondsWithoutRoom: ending.secondsWithoutRoom, copiesLost: ending.copiesLost, scrub: ending.scrub,
      coding: ending.coding,
      projectionsPerSecond: seconds > 0 ? Double(projections) / seconds : 0,
      lost: (report?.lost ?? 0) + (losses?.counts.lost ?? 0),
      lostFields: report?.lostFields ?? 0, duplicates: (report?.duplicates ?? 0) + (losses?.counts.duplicates ?? 0),
      pace: report?.pace,
      emptyProjections: losses?.emptyProjections ?? 0, emptyFlats: losses?.emptyFlats ?? 0,
      emptyFrames: losses?.emptyFrames ?? [], droppedMessages: losses?.malformed ?? [:],
      clampedPixels: report?.pixels.clamped ?? 0,
      deadPixels: report?.pixels.dead ?? 0,
      restarts: ending.restarts, memory: memory, inputNotices: (plan.inputNotices ?? []) + beginning,
      stoppedBy: report?.stoppedBy ?? reason, stop: stop,
      outputs: report?.outputs ?? [], fit: report.flatMap { plan.export.fit($0.fits) },
      missingRows: ending.missing.map(\.rows),
      range: report?.range, volumeSHA256: report?.volumeSHA256, denoisedSHA256: report?.denoisedSHA256,
      views: ending.views, programs: ending.programs,
      part: plan.fabric.map {
        ResultPart(
          $0, rows: RowRange(0..<plan.slices, firstSlice: plan.firstSlice), sha256: report?.partsSHA256 ?? [])
      },
      uplink: uplink)
    return ReconstructionOutcome(
      result: result, report: report,
      notices: notices(plan, report, empty: losses?.emptyProjections ?? 0) + beginning
        + notices(losses, ending.faults, plan)
        + notices(stop) + notices(uplink)
        + notices(ending.secondsWithoutRoom) + notices(copies: ending.copiesLost)
        + notices(ending.scrub) + notices(ending.coding) + (ending.unseenTriggers ?? []),
      isInterrupted: ending.isInterrupted, failure: failure(plan, ending, losses))
  }

  /// What to say of a scan that shows nothing, or of rows that are missing, once all others are exported.
  private static func failure(_ plan: RunPlan, _ ending: Supervisor.RunEnding, _ losses: LossReport?) -> ScanFailure? {
    if ending.report == nil, !ending.isInterrupted, let losses, losses.emptyProjections > 0 {
      return ScanFailure(
        .data,
        "every projection is empty (zero, or no brighter than the dark field), \(losses.emptyProjections) of them; "
          + "look whether the shutter was open and the flat and dark fields belong to the scan")
    }
    guard let report = ending.report else { return nothingCame(plan, ending, losses) }
    guard !ending.missing.isEmpty else { return emptiness(plan, report).map { ScanFailure(.data, $0) } }
    let reasons = ending.missing.map { "\($0.rows) are missing (\($0.why))" }.joined(separator: ", ")
    let denoised = plan.denoising == nil ? "" : ", and the volume is not denoised"
    return ScanFailure(
      .software, "\(reasons); all other rows are exported\(denoised); mend the cause; \(plan.whatIsKept)")
  }

  /// What to say of a volume without a single measurement in it, which is exported all the same; nil of any other.
  static func emptiness(_ plan: RunPlan, _ report: ExportReport) -> String? {
    let pixels = plan.slices * plan.shape.columns, counts = report.pixels
    if counts.dead == pixels {
      return "every pixel is dead (dark field not below flat field, or every projection at or below dark): the volume "
        + "is empty; look whether flats and darks are swapped"
    }
    return counts.nonFinite > 0 && counts.nonFinite == (pixels - counts.dead) * report.projections
      ? "every pixel is NaN or infinite: the volume is empty" : nil
  }

  /// What to say of a run without a projection: whoever goes on with its result must not find it well.
  private static func nothingCame(_ plan: RunPlan, _ ending: Supervisor.RunEnding, _ losses: LossReport?) -> ScanFailure
  {
    if ending.isInterrupted || ending.finalized != nil {
      return ScanFailure(.temporary, "the scan was ended before its first projection: nothing is reconstructed")
    }
    let dropped = losses?.counts.malformed ?? 0
    let why = ending.faults.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
    return dropped > 0
      ? ScanFailure(
        .data,
        "no projection came from \(plan.scan.input) that is one of the scan, and \(dropped) messages were dropped"
          + (why.isEmpty ? "" : " (\(why))"))
      : ScanFailure(.unavailable, "no projection came from \(plan.scan.input)")
  }
}
