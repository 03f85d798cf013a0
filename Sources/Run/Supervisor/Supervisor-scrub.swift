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

  /// Begins to code what is sealed of the journals; nil where nobody wants that.
  func makeCoder() -> RunCoder? {
    guard let parity = RunParity(plan) else { return nil }
    return RunCoder(
      RunJournals(folder, plan), parity, scrub: plan.scan.scrub > 0 ? .seconds(plan.scan.scrub) : nil)
  }

  /// Has it end, where it has not, and takes note of what it came to.
  func endCoding(_ coder: RunCoder?, _ status: inout RunStatus) {
    coder?.stop()
    watchCoding(coder, &status)
  }

  /// Looks how far coding is, tells people what is new, and fills that in.
  func watchCoding(_ coder: RunCoder?, _ status: inout RunStatus) {
    guard let (coding, lines) = coder?.look() else { return }
    status.coding = coding
    tell(lines)
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
    tell(lines)
  }

  private func tell(_ lines: [String]) {
    for line in lines { log.warning("\(line)") }
    for line in lines.prefix(Self.linesMax) { monitor.alarm(.disk, line) }
    if lines.count > Self.linesMax {
      monitor.alarm(.disk, "damage on disk: \(lines.count - Self.linesMax) places more, all of them in the log")
    }
  }
}
