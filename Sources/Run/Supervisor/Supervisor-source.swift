import Detectors
import Logging
import RunModel

// What the supervisor does while a sender sends what no scan can use: people hear of it at once, as they could still
// mend the scan's description or the detector.
extension Supervisor {
  /// Looks why messages were dropped, tells people what is new, and fills that in.
  func watchSource(_ regions: RunRegions, _ status: inout RunStatus) {
    guard let acquire = stages.first(where: { $0.stage == .acquire }) else { return }
    let faults = regions.heartbeats.faults(of: acquire.number)
    status.faults = faults.isEmpty ? nil : faults.map(\.name)
    let new = faults.filter { !knownFaults.contains($0) }
    guard !new.isEmpty else { return }
    knownFaults = faults
    let names = new.map(\.name).joined(separator: ", ")
    let line = "messages of the source are dropped (\(names)): \(folder.log("acquire")) says more"
    log.warning("\(line)")
    monitor.notice(line)
  }
}
