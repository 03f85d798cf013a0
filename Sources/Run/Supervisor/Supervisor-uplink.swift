import Glibc
import Host
import Logging
import RunModel
import Stages

// Images on their way to nodes.
extension Supervisor {
  /// Fills in how they stand, and tells people once where they do not get on, and once where they do again.
  func watchUplink(_ status: inout RunStatus) {
    guard stages.contains(where: { $0.stage == .uplink }) else { return }
    status.uplink = folder.readUplink() ?? newestStatus?.uplink
    guard let report = status.uplink, (report.away != nil) != isUplinkAway else { return }
    isUplinkAway = report.away != nil
    let words = report.away.map { "images do not reach nodes, and wait in the journal: \($0)" }
    log.notice("\(words ?? report.words)")
    monitor.notice(words ?? "images reach nodes again: \(report.words)")
  }

  /// Has the uplink end where nothing else is left to do, once; false otherwise.
  func endUplink() throws -> Bool {
    guard !isUplinkEnding, let uplink = stages.first(where: { $0.stage == .uplink }), uplink.isRunning,
      stages.allSatisfy({ $0.stage == .uplink || $0.isOver })
    else { return false }
    isUplinkEnding = true
    monitor.notice("the volume is complete; ending without what nodes do not have yet")
    try uplink.process.signal(SIGTERM)
    return true
  }
}
