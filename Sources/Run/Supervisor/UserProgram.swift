import Foundation
import Glibc
import Host
import Logging
import ScanPlan

/// A program of `--stage`, through all of its lives. It says lines of JSON on its output, which are its sign of life
/// and its figures, and sees the end of its input when the volume is complete. One that dies is started again, as long
/// as one of its lives after the other comes to say figures; one that is silent, after it had spoken, is killed first.
/// Nothing that it does or says changes the run.
final class UserProgram {
  let record: UserStages.Record
  private let log: Logger
  private let launch: (_ input: Int32, _ output: Int32) throws -> ChildProcess
  private var process: ChildProcess?
  /// Where it sees that the volume is complete, and where it says figures; negative for none.
  private var (input, output): (Int32, Int32) = (-1, -1)
  private var text: [UInt8] = []
  private var lines: UInt64 = 0
  /// Whether this life said figures.
  private var hasSaidFigures = false
  private var watch = HeartbeatWatch(start: .now)
  private var restartDue = ContinuousClock.now
  private var failuresInRow = 0
  private var isComplete = false
  private var hasMisspoken = false
  /// How it does.
  private(set) var status: ProgramStatus
  /// Hears of each process that ended.
  private let ended: (Int32) -> Void

  private static let limits = HeartbeatWatch.Limits(working: .seconds(60))
  /// Lives in a row without figures, such lives with a sign of life that somebody else ended, and lives in all.
  private static let (failuresInRowMax, killsInRowMax, restartsMax) = (5, 20, 1000)
  private static let (lineByteCountMax, figuresMax, nameMax) = (3072, 32, 48)
  /// Of 4 KiB each in a look, and lines of each that are looked at.
  private static let (readsMax, linesMax) = (16, 8)
  private static let delayMax: Duration = .seconds(10)
  private static let stopLimit: Duration = .seconds(3)

  init(
    _ record: UserStages.Record, log: Logger, ended: @escaping (Int32) -> Void,
    launch: @escaping (Int32, Int32) throws -> ChildProcess
  ) {
    (self.record, self.log, self.ended, self.launch) = (record, log, ended, launch)
    status = ProgramStatus(name: record.name)
  }

  deinit { closePipes() }

  var isOver: Bool { status.state != .runs }

  /// Starts it, or sees to it: takes what it said, and starts it again where it died. Never waits.
  func look() {
    guard !isOver else { return }
    if process == nil, restartDue <= .now { start() }
    read()
    guard let process else { return }
    do {
      if lines > 0, let silence = watch.look(.beats(lines), at: .now) {
        log.warning("killed \(record.name), which hung", metadata: ["silent": "\(silence / .seconds(1)) s"])
        try process.killGroup()
      }
      if let ended = try process.reapGroup() { take(ended) }
    } catch { giveUp("\(error)") }
  }

  /// Takes note of what it made.
  func note(_ saved: SavedStage) {
    (status.outputs, status.sha256) = (saved.outputs.isEmpty ? nil : saved.outputs, saved.digest)
  }

  /// Takes note of the model that it has.
  func note(model sha256: String) { status.modelSHA256 = sha256 }

  /// Has it see that the volume is complete.
  func complete() {
    isComplete = true
    if input >= 0 { close(input) }
    input = -1
  }

  /// Has it end, and does without it where it did not end well by itself.
  func stop(_ reason: String) {
    guard !isOver else { return }
    if let process {
      do {
        try process.signal(SIGTERM)
        _ = try Poll.wait(readable: [process.pidfd], timeout: Self.stopLimit)
        try process.killGroup()
        _ = try process.waitForExit(timeout: Self.stopLimit)
      } catch { log.warning("cannot end \(record.name)", metadata: ["reason": "\(error)"]) }
    }
    read()
    giveUp(reason)
  }

  private func start() {
    closePipes()
    var (inputs, outputs): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    // No process that is started meanwhile has them: each gets its first three descriptors only.
    guard pipe(&inputs) == 0 else { return giveUp("\(Errno.current)") }
    guard pipe(&outputs) == 0 else {
      let error = Errno.current
      for end in inputs { close(end) }
      return giveUp("\(error)")
    }
    (input, output, text, lines, hasSaidFigures) = (inputs[1], outputs[0], [], 0, false)
    // This end only: who writes waits where nobody reads.
    _ = fcntl(output, F_SETFL, O_NONBLOCK)
    defer {
      close(inputs[0])
      close(outputs[1])
    }
    do { process = try launch(inputs[0], outputs[1]) } catch { return giveUp("\(error)") }
    if isComplete { complete() }
    status.pid = process?.pid
    watch = HeartbeatWatch(limits: Self.limits, start: .now)
    log.info(
      "started the program \(record.name)", metadata: ["pid": "\(status.pid ?? 0)", "life": "\(status.restarts)"])
  }

  private func take(_ ended: ExitStatus) {
    read()
    if let pid = status.pid { self.ended(pid) }
    (process, status.pid) = (nil, nil)
    log.info("ended the program \(record.name)", metadata: ["status": "\(ended)"])
    if ended == .exited(0) { return status.state = .ended }
    if record.work.model != nil, let reason = Self.reason(ofModel: ended) { return giveUp(reason) }
    // A sign of life is no work: one that fails at the same place each time comes to say it each time.
    failuresInRow = hasSaidFigures ? 1 : failuresInRow + 1
    var most = Self.failuresInRowMax
    if case .killed = ended, lines > 0 { most = Self.killsInRowMax }
    guard failuresInRow < most else {
      return giveUp("it \(ended.words), \(failuresInRow) times in a row without having said figures")
    }
    guard status.restarts < Self.restartsMax else {
      return giveUp("it \(ended.words), after \(status.restarts) restarts")
    }
    status.restarts += 1
    restartDue = .now + min(Self.delayMax, .milliseconds(50 << failuresInRow))
  }

  /// Why a network would end so another time as well; nil where it may not.
  private static func reason(ofModel ended: ExitStatus) -> String? {
    switch ended {
    case .exited(65): "its model is none that it can run on slices, as its error output says"
    case .exited(69): "its Python has no onnxruntime"
    default: nil
    }
  }

  private func giveUp(_ reason: String) {
    (status.state, status.reason, status.pid) = (.gaveUp, reason, nil)
    process = nil
    closePipes()
  }

  private func closePipes() {
    for end in [input, output] where end >= 0 { close(end) }
    (input, output) = (-1, -1)
  }

  /// Takes what it said, so much of it that a program that never stops speaking holds nobody up: of many lines at once
  /// the last ones.
  private func read() {
    guard output >= 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<Self.readsMax {
      let count = Glibc.read(output, &bytes, bytes.count)
      guard count > 0 else { return }
      text += bytes[..<count]
      if let end = text.lastIndex(of: UInt8(ascii: "\n")) {
        let said = text[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        lines += UInt64(said.count)
        status.said += said.count
        said.suffix(Self.linesMax).forEach(take(line:))
        text.removeSubrange(...end)
      }
      if text.count > Self.lineByteCountMax { text.removeLast(text.count - Self.lineByteCountMax - 1) }
    }
  }

  private func take(line: ArraySlice<UInt8>) {
    guard line.count <= Self.lineByteCountMax,
      let figures = try? JSONDecoder().decode([String: Double].self, from: Data(line)),
      figures.count <= Self.figuresMax,
      figures.allSatisfy({ 1...Self.nameMax ~= $0.key.utf8.count && $0.value.isFinite && Self.isName($0.key) })
    else {
      if !hasMisspoken {
        log.warning("the program \(record.name) says what is no JSON object of numbers: it is passed over")
      }
      return hasMisspoken = true
    }
    // An empty one is a sign of life alone.
    if !figures.isEmpty { (status.figures, hasSaidFigures) = (figures, true) }
  }

  private static func isName(_ text: String) -> Bool {
    text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
  }
}

/// All programs of a run.
final class UserPrograms {
  private let records: [UserStages.Record]
  private let outputFolder: String
  private let executable: String
  private let folder: RunFolder
  private let log: Logger
  private let monitor: any RunMonitor
  private var programs: [UserProgram] = []
  private var told: Set<String> = []

  private static let lookPeriod = Duration.milliseconds(20)
  /// Nobody knows how long a program of a person takes; what is known to get on may take longer.
  private static let (programLimit, liveLimit, saveLimit) = (
    Duration.seconds(60), Duration.seconds(3600), Duration.seconds(600)
  )
  private var regions = ""

  init(_ scan: ScanDescription, executable: String, folder: RunFolder, log: Logger, _ monitor: any RunMonitor) {
    (records, outputFolder) = (scan.stage?.records ?? [], scan.outputFolder)
    (self.executable, self.folder, self.log, self.monitor) = (executable, folder, log, monitor)
  }

  /// How they do; nil where there are none.
  var report: [ProgramStatus]? { programs.isEmpty ? nil : programs.map(\.status) }

  /// Starts all. `regions` is the prefix of the names of the run's regions.
  func begin(regions: String) {
    self.regions = regions
    programs = records.map { record in
      UserProgram(record, log: log, ended: { [weak self] in self?.removeLeftovers($0) }) {
        [executable, folder] input, output in
        try ChildProcess(
          executable: executable,
          arguments: record.work.command.map { ["program", "--last"] + Self.parent + [$0[0], "--"] + $0.dropFirst() }
            ?? Self.liveStage(record.name, folder, regions: regions),
          environment: Self.environment(of: record, regions: regions, folder),
          standardInput: input, standardOutput: output)
      }
    }
    for program in programs { takeModel(of: program) }
    look()
  }

  /// Takes the model that a stage has into the run's folder. Without it the run goes on without the stage.
  private func takeModel(of program: UserProgram) {
    guard let model = program.record.work.model else { return }
    do {
      program.note(model: try StageModel(of: program.record.name, from: model, in: folder).sha256)
    } catch { program.stop("\(ScanFailure(error))") }
  }

  private static var parent: [String] { ["--parent", "\(getpid())", "--program", OwnProgram.build] }

  private static func liveStage(_ name: String, _ folder: RunFolder, regions: String) -> [String] {
    ["live-stage", name, "--run-folder", folder.path, "--regions", String(regions.dropLast())] + parent
  }

  /// Removes what a process was just writing when it died.
  private func removeLeftovers(_ pid: Int32) {
    for path in [folder.path, outputFolder] {
      do { try removeTemporaryFiles(in: path, ofProcess: pid) } catch { log.warning("\(error)") }
    }
  }

  /// What a program is told: where the run is, and what it reads and writes there.
  private static func environment(
    of record: UserStages.Record, regions: String, _ folder: RunFolder
  ) -> [String: String] {
    var environment = ProcessInfo.processInfo.environment
    for name in ServiceManager.environmentNames { environment[name] = nil }
    environment["SLIPRING_RUN"] = regions
    environment["SLIPRING_RUN_FOLDER"] = folder.path
    environment["SLIPRING_STAGE"] = record.name
    environment["SLIPRING_STAGE_EVERY"] = record.every
    environment["SLIPRING_STAGE_READS"] = record.reads ?? UserStages.volume
    environment["SLIPRING_STAGE_WRITES"] = record.writes?.rawValue
    environment["SLIPRING_STAGE_MODEL"] = record.work.model == nil ? nil : folder.model(record.name)
    // Python takes no module from the folder in which the run was begun.
    if record.work.model != nil { environment["PYTHONSAFEPATH"] = "1" }
    return environment
  }

  /// The program whose volume another one reads; nil for one that reads the run's.
  private func source(of program: UserProgram) -> UserProgram? {
    program.record.reads.flatMap { name in programs.first { $0.record.name == name } }
  }

  /// Sees to all, and says once of each that is done without; without what it reads so is a program that reads it.
  func look() {
    for program in programs {
      if let source = source(of: program), source.status.state == .gaveUp, !program.isOver {
        program.stop("it reads the stage \(source.record.name), which the run does without")
      }
      program.look()
      guard program.status.state == .gaveUp, told.insert(program.status.name).inserted else { continue }
      let words = "the run goes on without the stage \(program.status.name): \(program.status.reason ?? "")"
      log.warning("\(words)")
      monitor.notice(words)
    }
  }

  /// Tells each program that what it reads is complete, once it is, and waits for it a limited time; `lookUp` throws
  /// where nobody wants that.
  func finish(_ lookUp: () throws -> Void) throws {
    var deadlines: [String: Deadline] = [:]
    while programs.contains(where: { !$0.isOver }) {
      for program in programs where !program.isOver && source(of: program)?.isOver ?? true {
        let name = program.record.name
        if let deadline = deadlines[name] {
          if deadline.hasPassed { program.stop("it did not end within \(limit(program)) of the volume") }
        } else {
          deadlines[name] = Deadline(after: limit(program))
          program.complete()
        }
      }
      try lookUp()
      look()
      usleep(UInt32(Self.lookPeriod / .microseconds(1)))
    }
  }

  private func limit(_ program: UserProgram) -> Duration {
    if case .program = program.record.work { Self.programLimit } else { Self.liveLimit }
  }

  /// Saves what each has made of the finished volume. What cannot be saved is told, and the run ends as it would.
  func save(_ lookUp: () throws -> Void) throws {
    for program in programs where program.status.state == .ended {
      let name = program.record.name
      do {
        if program.record.writes != nil { try save(program, lookUp) }
        guard !program.record.isProgramOfFigures else { continue }
        program.note(try folder.read(SavedStage.self, from: folder.savedStage(name)))
      } catch let stopped as StageFailure {
        throw stopped
      } catch {
        let words = "what the stage \(name) made is not saved: \(ScanFailure(error))"
        log.warning("\(words)")
        monitor.notice(words)
      }
    }
  }

  private func save(_ program: UserProgram, _ lookUp: () throws -> Void) throws {
    let name = program.record.name
    let figures = program.status.figures.filter { !["skipped", "generation"].contains($0.key) }
      .sorted { $0.key < $1.key }.flatMap { ["--figure", "\($0.key)=\($0.value)"] }
    let process = try ChildProcess(
      executable: executable,
      arguments: Self.liveStage(name, folder, regions: regions) + ["--save"] + figures)
    let deadline = Deadline(after: Self.saveLimit)
    defer { removeLeftovers(process.pid) }
    while true {
      if let ended = try process.waitForExit(timeout: Self.lookPeriod) {
        guard ended != .exited(0) else { return }
        throw ScanFailure(.software, "its process \(ended.words)")
      }
      do {
        try lookUp()
        guard !deadline.hasPassed else { throw ScanFailure(.software, "that took longer than \(Self.saveLimit)") }
      } catch {
        try process.signal(SIGKILL)
        _ = try process.waitForExit(timeout: Self.lookPeriod)
        throw error
      }
    }
  }

  /// Has all end, as the run does.
  func stop() { for program in programs { program.stop("the run has ended") } }
}
