import Glibc
import Host
import Journal
import Logging
import Rings
import RunModel
import ScanPlan

// What the supervisor does with stages that die, hang, or cannot live where they are, and with all of them when the run
// fails.
extension Supervisor {
  /// The export has this long to remove its unfinished files before it is killed, and they are removed for it.
  private static let exportGrace: Duration = .milliseconds(200)
  /// A process that was killed ends within this time.
  private static let killLimit: Duration = .seconds(5)

  /// Sees to a stage that died, hangs, or is to be started again. A stage that exited has said why itself.
  func look(at index: Int, _ regions: RunRegions) throws {
    try killIfHung(index, regions)
    if let ended = try stages[index].reap() { try take(ended, of: index, regions) }
    if let due = stages[index].restartDue, due <= .now { try restart(index, regions) }
  }

  /// Has a stage started again that was killed; fails the run if one ended badly or dies too often that it cannot do
  /// without.
  private func take(_ ended: ExitStatus, of index: Int, _ regions: RunRegions) throws {
    let (stage, pid) = (stages[index].stage, stages[index].process.pid)
    let facts = ["pid": "\(pid)", "status": "\(ended)", "nanoseconds": "\(Machine.monotonicNanoseconds)"]
    log.info(
      "ended \(stage)",
      metadata: facts.merging(folder.crashMetadata(stage, pid: pid)) { $1 }.mapValues { "\($0)" })
    switch ended {
    case .exited(0): return
    case .exited(let code) where stage == .uplink: giveUpUplink(index, "stage \(stage) ended with status \(code)")
    case .exited(let code) where isDoneWithout(index, "ended with status \(code), its log says why"): return
    case .exited(let code): try doWithout(index, exitCode: code, Log.lastError(of: stage, pid: pid, folder), regions)
    case .killed(let signal):
      let progress = regions.progress(of: stage)
      let mayRestart = stages[index].mayRestart(done: progress.done, hasWork: progress.hasWork)
      if !mayRestart {
        if stage == .uplink { return delayUplink(index, killedBy: signal) }
        if isDoneWithout(index, "was killed by signal \(signal) \(stages[index].deathCount)") { return }
      }
      guard try mayRestart || isRelocated(index, killedBy: signal, regions) else { return }
      log.warning(
        "starting \(stage) again", metadata: ["signal": "\(signal)", "restarts": "\(stages[index].restarts + 1)"])
      let report = folder.crashMetadata(stage, pid: pid)["report"].map { ": see \($0)" } ?? ""
      monitor.alarm(.restart, "stage \(stage) was killed by signal \(signal) and is started again\(report)")
      stages[index].scheduleRestart()
    }
  }

  private func restart(_ index: Int, _ regions: RunRegions) throws {
    try stages[index].restart(regions, fileFolders: folder.folders(writtenBy: stages[index].stage, plan))
    if stages[index].stage == .acquire, signalCount > 0 { try stages[index].process.signal(SIGTERM) }
  }

  /// Kills a stage that gives no sign of life.
  private func killIfHung(_ index: Int, _ regions: RunRegions) throws {
    guard let silence = try stages[index].killIfHung(regions.heartbeats.sign(of: index)) else { return }
    let (stage, pid) = (stages[index].stage, stages[index].process.pid)
    guard !stages[index].isUnkillable else {
      if isDoneWithout(index, "hangs in the kernel and cannot be killed") { return }
      throw ScanFailure(
        .software,
        "stage \(stage) (process \(pid)) hangs in the kernel and cannot be killed, as on a disk that does not answer; "
          + "end what blocks it or restart the machine; \(plan.whatIsKept)")
    }
    let seconds = (silence / .milliseconds(100)).rounded() / 10
    log.warning("killed \(stage), which hung", metadata: ["pid": "\(pid)", "silent": "\(seconds) s"])
    monitor.alarm(.restart, "stage \(stage) gave no sign of life for \(seconds) s: killed")
  }

  /// Ends every process of the run; the export may remove its unfinished files first. Goes on whatever it meets:
  /// another failure has brought it here, and is the one to tell.
  func stopAll() {
    for stage in stages where stage.isRunning {
      attempt("end \(stage.stage)") { try stage.process.signal(stage.stage == .export ? SIGTERM : SIGKILL) }
    }
    let deadline = ContinuousClock.now + Self.exportGrace
    // One that cannot be killed is not waited for, and may hold the disk that its files are on.
    for index in stages.indices where stages[index].isRunning && !stages[index].isUnkillable {
      let stage = stages[index]
      attempt("end \(stage.stage)") {
        if try stage.process.waitForExit(timeout: max(.zero, deadline - .now)) == nil {
          try stage.process.signal(SIGKILL)
          _ = try stage.process.waitForExit(timeout: Self.killLimit)
        }
        // The last status says who still runs.
        _ = try stages[index].reap()
      }
    }
    for stage in stages where !stage.isUnkillable {
      for path in folder.folders(writtenBy: stage.stage, plan) {
        attempt("remove unfinished files in \(path)") {
          try removeTemporaryFiles(in: path, ofProcess: stage.process.pid)
        }
      }
    }
  }

  /// Makes durable what acquire had taken and was still on its way to disk. To be called when all stages have ended.
  func drainAcquired(_ regions: RunRegions) {
    guard plan.scan.durability == .durable, let ring = regions.rings[.projections],
      !stages.contains(where: { $0.stage == .acquire && $0.isUnkillable })
    else { return }
    do {
      // Memory that somebody cut off must not be touched.
      try regions.checkSizes(of: ring.name)
      let count = try RunRegions.drainAcquired(in: ring, plan, folder)
      if count > 0 { log.notice("kept what was on its way to disk", metadata: ["events": "\(count)"]) }
    } catch JournalError.full {
      regions.stayForResume()
      let count = ring.progress.committed - min(ring.progress.published, ring.progress.committed)
      log.warning("what was on its way to disk stays in shared memory", metadata: ["events": "\(count)"])
      monitor.alarm(
        .disk,
        "\(count) images have no room on disk and stay in /dev/shm: free some space, then slipring resume "
          + "\(folder.path); another run would remove them")
    } catch {
      log.error("what was on its way to disk is lost", metadata: ["reason": "\(ScanFailure(error))"])
      monitor.alarm(.lost, "images that were on their way to disk are lost: \(ScanFailure(error))")
    }
  }

  private func attempt(_ what: String, _ body: () throws -> Void) {
    do { try body() } catch { log.warning("cannot \(what)", metadata: ["reason": "\(ScanFailure(error))"]) }
  }
}
