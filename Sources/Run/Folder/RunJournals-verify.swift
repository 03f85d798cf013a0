import Glibc
package import Journal
import Rings
import RunModel
import ScanPlan
import Stages

// What is read to say whether journals, their copies and their shards are whole. Nothing is changed.
extension RunJournals {
  /// Reads each copy of every journal by itself; nil where the run has no mirror. Throws where that is another run's.
  package func examineCopies() throws -> [Entry]? {
    guard let mirror = RunMirror(plan) else { return nil }
    _ = try mirror.isThere(plan)
    return try plan.wiring.topics.flatMap { topic in
      let specification = plan.ring(topic), floor = try durableFloor(of: topic)
      // What both have together vouches for each. While somebody writes, one copy may be a batch ahead.
      let both = try ownReport(on: topic, depth: .tail)
      let known = try folder.isSupervised ? both.durableThrough : max(both.durableThrough, both.nextSequence)
      return try [folder.journal(topic), mirror.journal(topic)].map { folder in
        Entry(
          topic: topic.name, folder: folder, stride: specification.slotStride,
          report: try verifyJournal(
            device: PwriteDevice(reading: folder), identity: specification.identity, stride: specification.slotStride,
            durableFloor: lostCopies.contains(folder) ? floor : max(floor, known)))
      }
    }
  }

  /// The copies that journals went on without.
  package var lostCopies: [String] { RunMirror(plan)?.lost(plan.wiring.topics, folder) ?? [] }

  /// The run's mirror, where it has one that is not there, or is another run's.
  package var missingMirror: String? { RunMirror(plan).flatMap { $0.isOf(plan) ? nil : $0.path } }

  /// Folders of the run's shards that are not there, or are another run's.
  package var missingDevices: [String] { RunParity(plan)?.roots.filter { !$0.isOf(plan) }.map(\.path) ?? [] }

  /// Whether there is something to mend journals from.
  package var canMend: Bool { plan.scan.mirror != nil || plan.scan.parity != nil }

  /// Folders of journals that are not there.
  package var missing: [String] {
    func gone(_ root: String, _ folders: [String]) -> [String] {
      access(root, F_OK) == 0 ? folders.filter { access($0, F_OK) != 0 } : [root]
    }
    let own = gone(folder.journals, plan.wiring.topics.map(folder.journal))
    guard let mirror = RunMirror(plan) else { return own }
    return own + (missingMirror.map { [$0] } ?? gone(mirror.journals, plan.wiring.topics.map(mirror.journal)))
  }

  /// What the shards of a topic are.
  package struct Coding: Codable, Sendable {
    /// As in `orders.0`.
    package let topic: String
    /// What was found, or done.
    package let report: CodingReport
  }

  /// What the shards of each topic are; nil where the run has none. Reads every piece.
  package func examineShards() throws -> [Coding]? {
    guard let parity = RunParity(plan) else { return nil }
    let extent: JournalCoder.Extent = try folder.isSupervised ? .sealed : .everything
    return try plan.wiring.topics.map { topic in
      var known: Set<String> = []
      return Coding(
        topic: topic.name,
        report: try code(topic, parity, extent, verifies: true, writes: false, known: &known))
    }
  }

  /// What neither copies nor shards of each topic have: mending leaves it as it is. Reads all of both.
  package func lostRecords() throws -> [(topic: String, damages: [JournalDamage])] {
    try plan.wiring.topics.compactMap { topic in
      var damages = try ownReport(on: topic, depth: .everything).damages
      if !damages.isEmpty, let parity = RunParity(plan) {
        let specification = plan.ring(topic)
        let left = try verifyJournal(
          device: openJournalReader(
            PwriteDevice(reading: folder.journal(topic)), shards: parity.shards(of: topic, plan)),
          identity: specification.identity, stride: specification.slotStride, durableFloor: knownEnd(of: topic)
        ).damages
        damages = damages.flatMap { damage in left.compactMap { damage.shared(with: $0) } }
      }
      return damages.isEmpty ? nil : (topic.name, damages)
    }
  }

  /// Sequences below it were in the journal: other journals say so, or shards give them back.
  func knownEnd(of topic: Topic) throws -> UInt64 {
    let floor = try durableFloor(of: topic)
    // What comes in the place of a journal that was set aside has the same names.
    guard let parity = RunParity(plan), !parity.hasSetAside(topic), !folder.hasSetAside(topic) else { return floor }
    return max(floor, parity.shards(of: topic, plan).ranges.last?.upperBound ?? 0)
  }
}
