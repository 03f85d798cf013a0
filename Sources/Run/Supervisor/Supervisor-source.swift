import Detectors
import Logging
import RunModel
import ScanPlan

// What the supervisor does while a sender sends what no scan can use: people hear of it at once, as they could still
// mend the scan's description or the detector.
extension Supervisor {
  /// Looks why messages were dropped, tells people what is new, and fills that in.
  func watchSource(_ regions: RunRegions, _ status: inout RunStatus) {
    guard let acquire = stages.first(where: { $0.stage == .acquire }) else { return }
    watchBeginning(regions, &status)
    let faults = regions.heartbeats.faults(of: acquire.number)
    status.faults = faults.isEmpty ? nil : faults.map(\.fault.name)
    let details = faults.filter { !$0.detail.isEmpty }.map { ($0.fault.name, $0.detail) }
    status.faultDetails = details.isEmpty ? nil : Dictionary(details) { $1 }
    for (fault, detail) in faults where knownFaults[fault] == nil {
      knownFaults[fault] = detail
      say(
        "messages of the source are dropped: \(fault.name)" + (detail.isEmpty ? "" : " (\(detail))")
          + "; \(folder.log("acquire")) has more")
    }
    if !isRemarked, let words = regions.heartbeats.remark(of: acquire.number) {
      isRemarked = true
      say(words)
    }
    if !isGivenUpTold, let words = regions.heartbeats.givenUp(of: acquire.number) {
      isGivenUpTold = true
      say(words)
    }
    guard !isInterrupted, let words = regions.heartbeats.interruption(of: acquire.number) else { return }
    isInterrupted = true
    say(words)
  }

  /// Says what is taken for the first frame, where nobody said it and the detector does not begin at 0.
  private func watchBeginning(_ regions: RunRegions, _ status: inout RunStatus) {
    guard plan.live != nil, let first = regions.heartbeats.sourceOrigin.firstFrame else { return }
    status.firstFrame = first
    guard !isBeginningKnown else { return }
    isBeginningKnown = true
    if let words = plan.words(forFirstFrame: first) { say(words) }
  }

  private func say(_ line: String) {
    log.warning("\(line)")
    monitor.alarm(.source, line)
  }
}
