import Detectors
import Foundation
import Glibc
import Host
import Run
import ScanPlan
import Spools

/// The process that reconstructs a scan.
struct JobProcess {
  let child: ChildProcess
  let run: String
  /// Whether a person wants it to end.
  var isEnding = false
}

extension Server {
  /// After so many attempts a person has to look.
  private static let attemptsMax = 5

  /// Moves on what came to an end, or was changed by people.
  func settle(_ entries: [Int: QueueEntry]) {
    for (number, entry) in entries {
      switch entry.state {
      case .receiving:
        if SpoolDescription.isThere(queue.spool(of: number)) {
          carryOn("scan \(number)") { try settleReceived(number) }
        }
      case .removed:
        if entry.sample == nil, entry.file == nil { carryOn("scan \(number)") { try nameRemoved(number) } }
        guard jobs[number]?.isEnding == false else { continue }
        jobs[number]?.isEnding = true
        carryOn("scan \(number)") { try end(job: number) }
      case .waiting, .running, .finished, .failed: continue
      }
    }
  }

  /// A scan that was taken out while it came is still somebody's sample.
  private func nameRemoved(_ number: Int) throws {
    let spool = queue.spool(of: number)
    guard SpoolDescription.isThere(spool) else { return }
    guard let sample = try SpoolDescription.read(spool).announced.sample else { return }
    try queue.update(number) { entry in
      guard entry.state == .removed, entry.sample == nil else { return false }
      entry.sample = sample
      return true
    }
  }

  /// Moves on a scan of which frames came.
  private func settleReceived(_ number: Int) throws {
    let spool: Result<SpoolDescription, SpoolError>
    do throws(SpoolError) { spool = .success(try SpoolDescription.read(queue.spool(of: number))) } catch {
      spool = .failure(error)
    }
    try queue.update(number) { entry in
      guard entry.state == .receiving else { return false }
      switch spool {
      case .success(let spool):
        guard spool.isPlannable else { return false }
        (entry.state, entry.sample) = (.waiting, spool.announced.sample ?? entry.sample)
      case .failure(let error):
        (entry.state, entry.ended, entry.reason) = (.failed, QueueEntry.now, "\(error)")
        notice("scan \(number) failed: \(error)")
      }
      return true
    }
  }

  /// Starts what is next, as many at a time as there may be.
  func startJobs(_ entries: [Int: QueueEntry]) {
    let now = ContinuousClock.now
    let next = entries.values.filter {
      ($0.state == .waiting || $0.state == .running) && jobs[$0.number] == nil && notBefore[$0.number] ?? now <= now
    }.sorted(by: QueueEntry.comesFirst)
    for entry in next.prefix(max(0, file.runs - jobs.count)) {
      carryOn("scan \(entry.number)") { try start(entry.number) }
    }
  }

  private func start(_ number: Int) throws {
    let started = try queue.update(number) { entry in
      guard entry.state == .waiting || entry.state == .running else { return false }
      entry.state = .running
      entry.begun = entry.begun ?? QueueEntry.now
      entry.attempts += 1
      entry.run = entry.run ?? queue.runFolder(of: number)
      entry.output = entry.output ?? "\(file.folder)/scans/\(OutputPattern(file.output).path(of: entry))"
      return true
    }
    guard let started, let run = started.run, let output = started.output else { return }
    // The folders above it; what a run makes itself is not there before.
    try DurableFolder.make(output, for: .usual)
    let log = Glibc.open(
      queue.log(of: number), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    defer { if log >= 0 { close(log) } }
    let child = try ChildProcess(
      executable: executable,
      arguments: ["serve-job", file.path, "\(number)", "--parent", "\(getpid())", "--program", OwnProgram.build],
      standardOutput: log >= 0 ? log : nil, standardError: log >= 0 ? log : nil, blockedSignals: [SIGINT, SIGTERM])
    jobs[number] = JobProcess(child: child, run: run)
    lookAtRoomSoon()
    let sample = started.sample.map { " (\($0))" } ?? ""
    notice("scan \(number)\(sample) \(started.attempts == 1 ? "is reconstructed" : "goes on")")
  }

  /// Takes note of jobs that ended.
  func reapJobs() {
    for (number, job) in jobs {
      carryOn("scan \(number)") {
        guard let status = try job.child.reap() else { return }
        let outcome = try outcome(number)
        let entry = try queue.update(number) { entry in
          guard entry.state == .running else { return false }
          Self.settle(&entry, status, outcome)
          return true
        }
        jobs[number] = nil
        lookAtRoomSoon()
        guard let entry else { return }
        if entry.state == .waiting { notBefore[number] = .now + .seconds(min(entry.attempts * entry.attempts, 60)) }
        notice(words(entry, outcome))
      }
    }
  }

  /// What a job left; nil also where that is damaged: then it is done again.
  private func outcome(_ number: Int) throws(ScanFailure) -> JobOutcome? {
    do throws(ScanFailure) { return try JobOutcome.read(queue.folder(of: number)) } catch {
      guard error.sysExit == .data else { throw error }
      return nil
    }
  }

  private static func settle(_ entry: inout QueueEntry, _ status: ExitStatus, _ outcome: JobOutcome?) {
    if status == .exited(0), let result = outcome?.result {
      (entry.state, entry.ended, entry.reason) = (.finished, QueueEntry.now, nil)
      (entry.projections, entry.volumeSHA256) = (result.projections, result.volumeSHA256)
      return
    }
    entry.reason = outcome?.failure ?? "its process \(status.words)"
    let mayBeTriedAgain = outcome?.mayBeTriedAgain ?? true
    guard mayBeTriedAgain, entry.attempts < attemptsMax else {
      (entry.state, entry.ended) = (.failed, QueueEntry.now)
      return
    }
    entry.state = .waiting
  }

  private func words(_ entry: QueueEntry, _ outcome: JobOutcome?) -> String {
    let name = "scan \(entry.number)", reason = entry.reason ?? ""
    guard entry.state == .failed else {
      return entry.state == .finished
        ? "\(name) is finished: \(entry.output ?? "")" : "\(name) is begun again: \(reason)"
    }
    let left = queue.left(of: entry, outcome)
    return "\(name) failed: \(reason)" + (left.isEmpty ? "" : "; what there is of it: \(left.joined(separator: ", "))")
  }

  /// Ends a job at once; what its run acquired stays.
  func end(job number: Int) throws {
    guard let job = jobs[number] else { return }
    do { try RunRequests(runFolder: RunFolder(path: job.run)).abort(by: "slipring serve") } catch {
      // It has not begun, or is over.
      try job.child.signal(SIGKILL)
    }
  }

  /// Removes the frames of scans whose volumes are there.
  func removeSpools() {
    for number in spoolsToRemove { carryOn("scan \(number)") { try removeSpool(number) } }
  }

  private func removeSpool(_ number: Int) throws {
    let spool = queue.spool(of: number)
    guard access(spool, F_OK) == 0 else {
      spoolsToRemove.remove(number)
      return
    }
    // Without a description it is half removed.
    let description = SpoolDescription.isThere(spool) ? try SpoolDescription.read(spool) : nil
    if let description, description.ended == nil { return }
    if let lost = description?.lost, lost > 0 {
      try queue.update(number) { entry in
        entry.lost = lost
        return true
      }
    }
    try FileManager.default.removeItem(atPath: spool)
    spoolsToRemove.remove(number)
  }
}
