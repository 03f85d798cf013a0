import Host
import Logging
import ScanPlan
import Stages

// What the supervisor does while the disk is full: it says so, keeps the time, and goes on. A status that cannot be
// written is written at its next turn.
extension Supervisor {
  /// The last status is tried for so long: afterwards nobody would write it.
  private static let lastStatusLimit: Duration = .seconds(2)

  /// Looks at who lacks room on disk, tells people what is new, and fills that in.
  func watchRoom(_ regions: RunRegions, _ status: inout RunStatus) {
    var lacking: [RoomWatch.Want: [String]] = [:]
    let wants: [(DiskShortage, RoomWatch.Want)] = [
      (.journal, .journal), (.output, .output), (.report, .report), (.savedVolume, .savedVolume),
      (.savedVolumeFailed, .savedVolumeFailed),
    ]
    for stage in stages {
      let shortage = regions.heartbeats.shortage(of: stage.number)
      for (bit, want) in wants where shortage.contains(bit) && stage.isRunning {
        lacking[want, default: []].append("\(stage.stage)")
      }
    }
    if let statusFailure {
      lacking[statusFailure.isFull ? .status : .statusFailed(reason: "\(statusFailure)")] = ["the supervisor"]
    }
    for line in room.look(lacking, at: .now) {
      log.warning("\(line)")
      monitor.alarm(.disk, line)
    }
    status.withoutRoom = room.words
    status.secondsWithoutRoom = room.duration(at: .now) / .seconds(1)
  }

  /// Looks which copies of journals are lost, tells people what is new, and fills that in.
  func watchCopies(_ status: inout RunStatus) {
    let lost = RunMirror(plan)?.lost(plan.wiring.topics, folder) ?? []
    status.copiesLost = lost.isEmpty ? nil : lost
    let new = lost.filter { !knownLost.contains($0) }
    guard !new.isEmpty else { return }
    knownLost.formUnion(new)
    let line =
      "a copy of the journal is lost, \(new.joined(separator: ", ")): the run goes on with the other one, and its log "
      + "says why; afterwards slipring journal mend \(folder.path) writes it again"
    log.warning("\(line)")
    monitor.alarm(.disk, line)
  }

  /// Writes the status, or takes note of why not.
  func writeStatus(_ status: RunStatus) throws {
    do {
      try folder.write(status, to: folder.status)
      statusFailure = nil
    } catch let error as FileError {
      statusFailure = error
    }
  }

  /// Writes the status that stays. A run has its result without it.
  func writeLastStatus(_ status: RunStatus) throws {
    let wait = RoomWait(
      limit: Self.lastStatusLimit, period: .milliseconds(200), isStopped: { false }, changed: { _ in })
    do { _ = try wait.write { try folder.write(status, to: folder.status) } } catch let error as FileError {
      log.warning("the last status is not written", metadata: ["reason": "\(error)"])
      monitor.alarm(.disk, "\(error): slipring status shows an older status of this run")
    }
  }
}
