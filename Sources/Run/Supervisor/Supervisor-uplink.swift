import Glibc
import Host
import Logging
import RunModel
import ScanPlan
import Stages

// Images on their way to nodes.
extension Supervisor {
  /// Fills in how they stand, and tells people once where they do not get on, and once where they do again.
  func watchUplink(_ status: inout RunStatus) {
    guard stages.contains(where: { $0.stage == .uplink }) else { return }
    status.uplink = folder.readUplink() ?? newestStatus?.uplink
    noticeParts(status.uplink)
    guard let report = status.uplink, (report.away != nil) != isUplinkAway else { return }
    isUplinkAway = report.away != nil
    let words = report.away.map { "images do not reach nodes, and wait in the journal: \($0)" }
    log.notice("\(words ?? report.words)")
    monitor.notice(words ?? "images reach nodes again: \(report.words)")
  }

  /// Says once that nothing but nodes is waited for.
  private func noticeParts(_ report: UplinkReport?) {
    guard !isPartsNoticed, let report, report.isComplete, let missing = report.missing, !missing.isEmpty,
      stages.allSatisfy({ $0.stage == .uplink || $0.isOver })
    else { return }
    isPartsNoticed = true
    let nodes = report.nodeWords.map { " (\($0))" } ?? ""
    monitor.notice(
      "the scan is over and on the servers; waiting for \(counted(missing.count, "part")) of nodes\(nodes)")
  }

  /// Has the uplink end where nothing else is left to do, once; false otherwise.
  func endUplink() throws -> Bool {
    guard !isUplinkEnding, let index = stages.firstIndex(where: { $0.stage == .uplink }), !stages[index].isOver,
      isAllElseOver
    else { return false }
    isUplinkEnding = true
    let isWaiting = newestStatus?.uplink?.missing?.isEmpty == false
    monitor.notice(
      isWaiting
        ? "ending without the parts that nodes have not made yet"
        : "the volume is complete; ending without what nodes do not have yet")
    if stages[index].isRunning {
      try stages[index].process.signal(SIGTERM)
    } else {
      giveUpUplink(index, "stage uplink was killed, and a person did not wait for it")
    }
    return true
  }

  private var isAllElseOver: Bool { stages.allSatisfy { $0.stage == .uplink || $0.isOver || $0.isOptional } }

  /// Times that an uplink which was killed too often is tried again when the run has nothing else left to do.
  private static let lastTries = 3

  /// Sees to an uplink that was killed too often. The scan does not need it: as long as that goes on it is tried again,
  /// after longer and longer pauses.
  func delayUplink(_ index: Int, killedBy signal: Int32) {
    let deaths = "stage uplink was killed by signal \(signal) \(stages[index].deathCount)"
    guard !isAllElseOver || stages[index].lateRestarts < Self.lastTries else {
      return giveUpUplink(index, "\(deaths); see \(folder.logFolder)")
    }
    stages[index].scheduleLateRestart()
    log.warning("starting uplink again later", metadata: ["signal": "\(signal)"])
    guard !isUplinkDelayed else { return }
    isUplinkDelayed = true
    monitor.alarm(.restart, "\(deaths): images wait in the journal, and it is started again after longer pauses")
  }

  /// Goes on without an uplink, for which the result says what nodes lack.
  func giveUpUplink(_ index: Int, _ why: String) {
    stages[index].abandon()
    var report = folder.readUplink() ?? newestStatus?.uplink ?? UplinkReport(fabric: plan.scan.fabric ?? "the fabric")
    report.giveUp(why)
    log.error("gave uplink up", metadata: ["reason": "\(why)"])
    monitor.alarm(.restart, "\(why): images do not reach nodes any more; the scan goes on")
    do { try folder.write(report, to: folder.uplink) } catch {
      log.warning("cannot write \(folder.uplink)", metadata: ["reason": "\(ScanFailure(error))"])
    }
  }
}
