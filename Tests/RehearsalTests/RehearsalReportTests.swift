import Host
import Testing

@testable import Rehearsal

/// What a rehearsal says in the end.
@Suite struct RehearsalReportTests {
  private func outcome(exit: Host.ExitStatus?, overrun: Int?) -> RehearsalOutcome {
    RehearsalOutcome(result: nil, exit: exit, seconds: 12.34, overrun: overrun, failure: "no room")
  }

  private func report(_ outcome: RehearsalOutcome, _ expectations: [String], done: Double? = 2) -> RehearsalReport {
    RehearsalReport(
      seed: 1, predictions: ["lost: none for want of room"],
      faults: [.init(fault: "at 2s: kill any", target: "acquire", done: done, seen: "started again after 0.3 s")],
      expectations: expectations.compactMap { Expectation($0) }.map(outcome.row), failure: outcome.failure)
  }

  @Test func `What holds is no problem`() {
    let report = report(
      outcome(exit: .exited(0), overrun: 0), ["exit = 0", "overrun <= 0", "seconds <= 60"])
    #expect(report.expectations.allSatisfy { $0.verdict == .holds }, "\(report)")
    #expect(report.problem == nil)
    #expect(
      report.lines
        == [
          "predicted  lost: none for want of room", "",
          "fault                      done  seen", "at 2s: kill any (acquire)  2 s   started again after 0.3 s", "",
          "expected       seen     ", "exit = 0       0        holds", "overrun <= 0   0        holds",
          "seconds <= 60  12.34 s  holds", "", "the run said: no room",
        ].map { String($0.reversed().drop { $0 == " " }.reversed()) }, "\(report.lines.joined(separator: "\n"))")
  }

  @Test func `What is broken, cannot be known, or was not done is a problem`() {
    let broken = outcome(exit: .killed(signal: 9), overrun: 3)
    let report = report(broken, ["exit = 0", "latency-p99 <= 300ms", "overrun <= 3", "lost <= 0", "volume = same"])
    #expect(report.expectations.map(\.verdict) == [.broken, .unknown, .holds, .unknown, .unknown])
    #expect(report.expectations.map(\.seen) == ["137", "unknown", "3", "unknown", "unknown"])
    #expect(report.problem == "4 of 5 expectations do not hold")
    #expect(self.report(broken, ["overrun <= 3"], done: nil).problem == "1 of 1 fault could not be done")
  }
}
