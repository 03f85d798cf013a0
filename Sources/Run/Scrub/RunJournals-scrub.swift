import Glibc
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
    let (mirror, parity) = (RunMirror(plan), RunParity(plan))
    // Throws for another run's.
    let hasMirror = try mirror?.isThere(plan) ?? false
    var done: [Scrub] = []
    for topic in plan.wiring.topics {
      let isOver = try (hasMirror || parity != nil) && !folder.isSupervised
      if isOver { try makeFolders(topic, hasMirror ? mirror : nil) }
      var report = try scrub(topic, goesOn: pace.take) { _ in }
      if isOver, report.findings.contains(where: { $0.outcome == .mendable }) {
        let damages = try mend(topic, hasMirror ? mirror : nil, parity).damages
        for index in report.findings.indices where report.findings[index].outcome == .mendable {
          let isLost = report.findings[index].isAny(of: damages)
          report.findings[index].outcome = !isLost ? .mended : hasMirror ? .lost : .onlyCopy
        }
      }
      done.append(Scrub(topic: topic.name, report: report))
    }
    return done
  }

  /// Makes a topic's folders where they are gone, so that what belongs there can be written again.
  private func makeFolders(_ topic: Topic, _ mirror: RunMirror?) throws {
    for made in [folder.journal(topic)] + (mirror.map { [$0.journal(topic)] } ?? []) where access(made, F_OK) != 0 {
      try RunFolder.makeFolder(made, for: .owner)
    }
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
