import Host
package import Journal
import Rings
import RunModel
import ScanPlan
import Stages

extension RunJournals {
  /// What a scrub of one topic came to.
  package struct Scrub: Codable, Sendable {
    /// As in `orders.0`.
    package let topic: String
    /// What was read and found.
    package let report: ScrubReport
  }

  /// Reads what is settled of every journal again, at most so many bytes a second and after everybody else, and mends
  /// what one copy has damaged in sealed segments. Where the run is over, the others are mended as well.
  package func scrub(bytesPerSecond: Int) throws -> [Scrub] {
    Priority.yieldToAll()
    let pace = ScrubPace(bytesPerSecond: bytesPerSecond) { false }
    var done: [Scrub] = []
    for topic in plan.wiring.topics {
      var report = try scrub(topic, goesOn: pace.take) { _ in }
      if report.findings.contains(where: { $0.outcome == .mendable }), try !folder.isSupervised {
        if let mirror = RunMirror(plan) {
          _ = try mirror.mend(topic, plan, folder)
        } else if let parity = RunParity(plan) {
          _ = try parity.mend(topic, plan, folder)
        }
        for index in report.findings.indices where report.findings[index].outcome == .mendable {
          report.findings[index].outcome = .mended
        }
      }
      done.append(Scrub(topic: topic.name, report: report))
    }
    return done
  }

  /// Reads one topic's journal again.
  func scrub(
    _ topic: Topic, goesOn: @escaping (Int) -> Bool, found: @escaping (ScrubFinding) -> Void
  ) throws -> ScrubReport {
    let specification = plan.ring(topic)
    return try JournalScrub(
      copies(topic), identity: specification.identity, stride: specification.slotStride,
      shards: RunParity(plan)?.shards(of: topic, plan), goesOn: goesOn, found: found
    ).run()
  }
}
