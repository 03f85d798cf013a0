import Host
package import Journal
import Rings
import RunModel
import ScanPlan
import Stages

/// The journals of a run, looked at from outside.
package struct RunJournals: Sendable {
  /// One topic's journal.
  package struct Entry: Codable, Sendable {
    /// As in `orders.0`.
    package let topic: String
    /// Its folder.
    package let folder: String
    /// Bytes from record to record.
    package let stride: Int
    /// What reading it found.
    package let report: RecoveryReport

    /// Where in the last segment the next record goes; nil where the journal has no segment, or goes on in a new one.
    package var endOffset: Int? {
      guard let first = report.segments.last.flatMap({ UInt64($0.prefix { $0 != "." }) }), first <= report.nextSequence
      else { return nil }
      return EventHeader.pageByteCount + Int(report.nextSequence - first) * stride
    }
  }

  let folder: RunFolder
  let plan: RunPlan

  /// The journals of the run in `folder`.
  package init(_ folder: RunFolder) throws {
    self.folder = folder
    plan = try folder.readPlan()
    guard plan.scan.durability == .durable else {
      throw ScanFailure(
        .usage, "the run in \(folder.path) kept its events in memory (--durability memory): it has no journal")
    }
  }

  init(_ folder: RunFolder, _ plan: RunPlan) { (self.folder, self.plan) = (folder, plan) }

  /// Reads every journal, changing nothing: with `depth` `.tail` where it ends, with `.everything` each record.
  package func examine(depth: RecoveryDepth) throws -> [Entry] {
    try plan.wiring.topics.map { topic in
      Entry(
        topic: topic.name, folder: folder.journal(topic), stride: plan.ring(topic).slotStride,
        report: try report(on: topic, depth: depth))
    }
  }

  /// Reads each copy of every journal by itself, changing nothing; nil where the run has no mirror.
  package func examineCopies() throws -> [Entry]? {
    guard let mirror = RunMirror(plan) else { return nil }
    return try plan.wiring.topics.flatMap { topic in
      let specification = plan.ring(topic), floor = try durableFloor(of: topic)
      // What both have together vouches for each. While somebody writes, one copy may be a batch ahead.
      let both = try report(on: topic, depth: .tail)
      let known = try folder.isSupervised ? both.durableThrough : max(both.durableThrough, both.nextSequence)
      return try [folder.journal(topic), mirror.journal(topic)].map { folder in
        Entry(
          topic: topic.name, folder: folder, stride: specification.slotStride,
          report: try verifyJournal(
            device: PwriteDevice(folder: folder), identity: specification.identity, stride: specification.slotStride,
            durableFloor: lostCopies.contains(folder) ? floor : max(floor, known)))
      }
    }
  }

  /// The copies that journals went on without.
  package var lostCopies: [String] { RunMirror(plan)?.lost(plan.wiring.topics, folder) ?? [] }

  /// Writes again from the other copy what one copy of a journal lacks or has damaged. Refused while the run is alive.
  package func mend() throws -> [(topic: String, report: MendReport)] {
    try folder.refuseIfSupervised()
    guard let mirror = RunMirror(plan) else {
      throw ScanFailure(.usage, "the run in \(folder.path) has no mirror to mend its journals from (--mirror)")
    }
    guard try mirror.isThere(plan) else {
      throw ScanFailure(.noInput, "the mirror \(mirror.path) is not there; put it back, or make the disk ready")
    }
    return try plan.wiring.topics.map { ($0.name, try mirror.mend($0, plan, folder)) }
  }

  /// Reads one topic's journal, changing nothing. Sequences below `durableFloor` are known to have been durable; nil
  /// for what other journals say of that.
  func report(on topic: Topic, depth: RecoveryDepth, durableFloor floor: UInt64? = nil) throws -> RecoveryReport {
    let specification = plan.ring(topic)
    return try verifyJournal(
      device: device(topic), identity: specification.identity, stride: specification.slotStride,
      durableFloor: floor ?? durableFloor(of: topic), depth: depth)
  }

  /// Whether the journals of a run that came to its end hold what it was made of: none is damaged, and none that the
  /// volume needs was set aside.
  var areWhole: Bool {
    get throws {
      try plan.wiring.topics.allSatisfy { topic in
        let report = try report(on: topic, depth: .tail)
        return report.isIntact && (report.nextSequence > 0 || !Self.madeFromImages.contains(topic.kind))
      }
    }
  }

  /// Both copies as one, where there are two.
  func device(_ topic: Topic) throws(HostError) -> any JournalDevice {
    let specification = plan.ring(topic)
    return try openJournalReader(
      folder: folder.journal(topic), mirror: folder.mirror(topic, plan), identity: specification.identity,
      stride: specification.slotStride)
  }

  func reader(of topic: Topic) throws -> JournalReader {
    let specification = plan.ring(topic)
    return JournalReader(
      device: try device(topic), identity: specification.identity,
      stride: specification.slotStride)
  }
}
