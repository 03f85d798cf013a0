import Glibc
package import Host
import Run
import ScanPlan

/// Takes scan after scan, from detectors and folders, and reconstructs them one by one, for as long as it lives.
///
/// ```
/// detector ─► intake (a process for each) ─► queue on disk ─► jobs (a process for each) ─► volumes
/// folder of files ───────────────────────────┘
/// ```
/// What it knows is on disk: a server that is killed, and all of its processes with it, goes on where it was.
///
/// All processes are of the server's own program, also after its file was replaced by an upgrade: they share the queue,
/// spools and rings, whose shapes a version knows. The next start of the server, which nobody hurries, takes the new
/// one, and that reads what is under way or refuses it by name.
package final class Server {
  let file: ServeFile
  let queue: ScanQueue
  let executable: String
  let notice: (String) -> Void
  var intakes: [String: IntakeProcess] = [:]
  var jobs: [Int: JobProcess] = [:]
  var drops: [DropFolder] = []
  /// Jobs that failed are begun again, but not before.
  var notBefore: [Int: ContinuousClock.Instant] = [:]
  /// Entries whose spools are to go as soon as nobody writes there.
  var spoolsToRemove: Set<Int> = []
  /// Entries of which nothing is to be done any more, as long as nobody changes them.
  private var over: [Int: FileStamp] = [:]
  /// Which entries may have changed.
  private var watch: EntryWatch
  /// Whether people were told that there is less room than there shall be, and that it does not last.
  var (toldOfRoom, toldOfForecast) = (false, false)
  /// What scans that are over take on it.
  var stored = StoredScans()
  /// How the room on its disk goes.
  var disk = DiskWatch()
  /// When it began.
  let started = QueueEntry.now
  /// Tells others of changes; nil where nobody is to be told.
  let reporter: ChangeReporter?
  /// Who shows it to others than the page; nil for nobody.
  package var monitor: (any ServerMonitor)?
  /// What went wrong and was said.
  private var told: Set<String> = []
  private let signals: SignalDescriptor
  private let manager: ServiceManager?
  private let lock: LockFile
  private var isReplacementTold = false
  private var statusWritten: ServerStatus?
  /// When the room is looked at next.
  private var roomDue = ContinuousClock.now

  private static let period: Duration = .milliseconds(100)
  private static let roomPeriod: Duration = .seconds(10)
  /// After a job has begun it is known what it is going to write.
  private static let roomPeriodOfChange: Duration = .seconds(1)
  private static let stopLimit: Duration = .seconds(20)

  /// A server that does what `file` says, with the processes of `executable`. `signals` holds SIGINT and SIGTERM and
  /// was made before any thread.
  /// - Throws: `.cannotCreate` where its folder cannot be made, or another server has it.
  package init(
    _ file: ServeFile, executable: String, signals: SignalDescriptor, manager: ServiceManager?,
    notice: @escaping (String) -> Void
  ) throws {
    (self.file, self.executable, self.signals, self.manager) = (file, executable, signals, manager)
    self.notice = notice
    queue = ScanQueue(folder: file.folder)
    try queue.create()
    watch = EntryWatch(queue)
    guard let lock = try LockFile(path: queue.serverLock) else {
      let holder = try LockFile.holder(path: queue.serverLock) ?? "another process"
      throw ScanFailure(.cannotCreate, "\(file.folder) has a server, \(holder)")
    }
    self.lock = lock
    reporter =
      file.program == nil && file.hook == nil
      ? nil : try ChangeReporter(queue, program: file.program, hook: file.hook)
    try queue.mendChanges()
    for source in file.sources {
      guard case .drop(let path) = source.address else { continue }
      drops.append(try DropFolder(path: path, source: source.name))
    }
    // The page, which is there before the first look at the queue, knows its sources, and not those of the last server.
    try ServerStatus(self, entries: [:]).write(file.folder)
  }

  /// Serves until a signal comes. What is under way then goes on when a server is started again.
  package func run() throws {
    tell(.ready)
    while try signals.next() == nil {
      for source in file.sources { carryOn("the intake of \(source.name)") { try keepIntake(source) } }
      reapJobs()
      for index in drops.indices { carryOn { try drops[index].look(into: queue, notice: notice) } }
      let entries = try entries()
      settle(entries)
      startJobs(entries)
      removeSpools()
      keepRoom()
      reporter?.takeNotices().forEach(notice)
      note(ServerStatus(self, entries: entries.mapValues(\.state)))
      let ends = intakes.values.compactMap(\.child?.pidfd) + jobs.values.map(\.child.pidfd)
      _ = try Poll.wait(readable: [signals.descriptor] + ends, timeout: Self.period)
    }
    try stop()
  }

  /// All entries of which something is to be done.
  private func entries() throws -> [Int: QueueEntry] {
    var entries: [Int: QueueEntry] = [:]
    for number in try watch.due() {
      let stamp = FileStamp(path: queue.entryPath(of: number))
      if let stamp, over[number] == stamp {
        watch.settle(number)
        continue
      }
      do throws(ScanFailure) {
        guard let entry = try queue.entry(number) else { continue }
        entries[number] = entry
        let isOver = entry.isOver && jobs[number] == nil
        over[number] = isOver ? stamp : nil
        if isOver {
          watch.settle(number)
          // Its process may have been killed before the end.
          if let output = entry.output { OutputFolder.removeLockOfNobody(in: output) }
        }
        if entry.state == .finished, entry.file == nil { spoolsToRemove.insert(number) }
      } catch {
        // Told once: it stays until somebody repairs it.
        notice("\(error)")
        over[number] = stamp
        watch.settle(number)
      }
    }
    return entries
  }

  /// Ends all processes, the intakes first: what came is on disk.
  private func stop() throws {
    tell(.stopping)
    monitor?.end()
    notice("ending; what is under way goes on at the next start")
    let deadline = Deadline(after: Self.stopLimit)
    for intake in intakes.values { try intake.child?.signal(SIGTERM) }
    for number in jobs.keys { try end(job: number) }
    let children = intakes.values.compactMap(\.child) + jobs.values.map(\.child)
    for child in children where try child.waitForExit(timeout: deadline.remaining) == nil {
      try child.signal(SIGKILL)
      _ = try child.waitForExit(timeout: .seconds(5))
    }
    jobs = [:]
    reporter?.stop()
  }

  /// What scans take has changed, or is about to.
  func lookAtRoomSoon() { roomDue = min(roomDue, .now + Self.roomPeriodOfChange) }

  private func keepRoom() {
    guard .now >= roomDue else { return }
    roomDue = .now + Self.roomPeriod
    carryOn { try lookAtStored() }
    carryOn { try makeRoom() }
    carryOn { try clearScans() }
    if OwnProgram.isReplaced, !isReplacementTold {
      isReplacementTold = true
      notice("\(OwnProgram.file) was replaced: the new program is used when this server is started again")
    }
    watchDisk()
  }

  private func note(_ status: ServerStatus) {
    carryOn { try monitor?.show(status) }
    if manager?.watchdogPeriod != nil { tell(.alive) }
    guard status != statusWritten else { return }
    carryOn { try status.write(file.folder) }
    tell(.status(status.words))
    statusWritten = status
  }

  /// A service manager that does not hear is no reason to end.
  private func tell(_ message: ServiceManager.Message) { carryOn { try manager?.tell(message) } }

  /// What goes wrong with one thing, as with a disk that is full, does not stop the others: it is said once, and tried
  /// again.
  func carryOn(_ subject: String = "", _ body: () throws -> Void) {
    do { try body() } catch {
      let words = subject.isEmpty ? "\(error)" : "\(subject): \(error)"
      if told.insert(words).inserted { notice(words) }
      if told.count > Self.toldMax { told = [] }
    }
  }

  private static let toldMax = 1000
}

/// What tells that a file is the one that was looked at before.
struct FileStamp: Equatable {
  let words: [Int]

  /// Of the file at `path`; nil where there is none.
  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    words = [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
  }
}
