import Logging
import ScanPlan

// What the supervisor makes of journals that are read again while the run goes on.
extension Supervisor {
  /// How many findings are told one by one at a turn.
  private static let linesMax = 8

  /// Begins to read the journals again now and then, where there are some; nil where nobody wants that.
  func makeScrubber() -> RunScrubber? {
    guard plan.scan.durability == .durable, plan.scan.scrub > 0 else { return nil }
    return RunScrubber(RunJournals(folder, plan), interval: .seconds(plan.scan.scrub))
  }

  /// Has it end, and takes note of the last that it found.
  func endScrub(_ scrubber: RunScrubber?, _ status: inout RunStatus) {
    scrubber?.stop()
    watchScrub(scrubber, &status)
  }

  /// Looks at what was found, tells people what is new, and fills that in.
  func watchScrub(_ scrubber: RunScrubber?, _ status: inout RunStatus) {
    guard let (scrub, lines) = scrubber?.look() else { return }
    status.scrub = scrub
    for line in lines { log.warning("\(line)") }
    for line in lines.prefix(Self.linesMax) { monitor.alarm(.disk, line) }
    if lines.count > Self.linesMax {
      monitor.alarm(.disk, "damage on disk: \(lines.count - Self.linesMax) places more, all of them in the log")
    }
  }
}
