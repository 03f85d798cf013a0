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
    plan = try folder.readPlan()
    self.folder = folder.mirrored(by: plan)
    guard plan.scan.durability == .durable else {
      throw ScanFailure(
        .usage, "the run in \(folder.path) kept its events in memory (--durability memory): it has no journal")
    }
  }

  init(_ folder: RunFolder, _ plan: RunPlan) { (self.folder, self.plan) = (folder.mirrored(by: plan), plan) }

  /// Reads every journal, changing nothing: with `depth` `.tail` where it ends, with `.everything` each record.
  package func examine(depth: RecoveryDepth) throws -> [Entry] {
    try plan.wiring.topics.map { topic in
      Entry(
        topic: topic.name, folder: folder.journal(topic), stride: plan.ring(topic).slotStride,
        report: try depth == .everything ? ownReport(on: topic, depth: depth) : report(on: topic, depth: depth))
    }
  }

  /// What mending came to, by topic.
  package struct Mended: Codable, Sendable {
    /// As in `orders.0`.
    package let topic: String
    /// What was written of the journal's copies.
    package let report: MendReport
    /// What was written of its shards; nil where the run has none.
    package let shards: CodingReport?
  }

  /// Writes again from the other copy, or from shards, what one copy of a journal lacks or has damaged, then shards
  /// that are missing or damaged. Refused while the run is alive. An empty folder becomes a copy's again, but not one
  /// whose disk is not mounted, unless on `anyDisk`.
  package func mend(anyDisk: Bool = false) throws -> [Mended] {
    try folder.refuseIfSupervised()
    let (mirror, parity) = (RunMirror(plan), RunParity(plan))
    guard mirror != nil || parity != nil else {
      throw ScanFailure(
        .usage, "the run in \(folder.path) has nothing to mend its journals from (--mirror, --parity)")
    }
    if let mirror, anyDisk || mirror.unmounted(plan, folder) == nil { try mirror.adopt(plan, folder) }
    let isThere = try mirror?.isThere(plan) ?? false
    if let mirror, parity == nil, !isThere {
      if let failure = mirror.unmounted(plan, folder) { throw failure }
      throw ScanFailure(
        .noInput, "the mirror \(mirror.path) is not there; put it back, or make an empty folder of that name")
    }
    try parity?.adopt(plan, folder, anyDisk: anyDisk)
    if let mirror, isThere { try mirror.bringReports(to: folder) }
    return try plan.wiring.topics.map { topic in
      let report = try mend(topic, isThere ? mirror : nil, parity)
      var known: Set<String> = []
      let shards = try parity.map { try code(topic, $0, .everything, verifies: true, known: &known) }
      return Mended(topic: topic.name, report: report, shards: shards)
    }
  }

  /// Makes a topic's copies whole: from each other, then from shards.
  func mend(_ topic: Topic, _ mirror: RunMirror?, _ parity: RunParity?) throws -> MendReport {
    guard let parity else {
      guard let mirror else { preconditionFailure("nothing to mend \(topic.name) from") }
      return try mirror.mend(topic, plan, folder)
    }
    guard let mirror else { return try parity.mend(topic, plan, folder) }
    let report = try mirror.mend(topic, plan, folder)
    guard try !report.damages.isEmpty || parity.shards(of: topic, plan).hasMore(than: folder.journal(topic)) else {
      return report
    }
    let own = try parity.mend(topic, plan, folder)
    guard !own.copies.allSatisfy(\.segments.isEmpty) else { return report }
    return report.followed(by: own).followed(by: try mirror.mend(topic, plan, folder))
  }

  /// Reads one topic's journal, changing nothing. Sequences below `durableFloor` are known to have been durable; nil
  /// for what other journals say of that.
  func report(on topic: Topic, depth: RecoveryDepth, durableFloor floor: UInt64? = nil) throws -> RecoveryReport {
    let specification = plan.ring(topic)
    return try verifyJournal(
      device: device(topic), identity: specification.identity, stride: specification.slotStride,
      durableFloor: floor ?? durableFloor(of: topic), depth: depth)
  }

  /// Reads the copies of one topic's journal without its shards, changing nothing.
  func ownReport(on topic: Topic, depth: RecoveryDepth) throws -> RecoveryReport {
    let specification = plan.ring(topic)
    return try verifyJournal(
      device: copies(topic), identity: specification.identity, stride: specification.slotStride,
      durableFloor: knownEnd(of: topic), depth: depth)
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

  /// What a topic's journal is read from: both copies as one, where there are two; of a single one also what its shards
  /// give back.
  func device(_ topic: Topic) throws(HostError) -> any JournalDevice {
    guard plan.scan.mirror == nil, let parity = RunParity(plan) else { return try copies(topic) }
    return try openJournalReader(PwriteDevice(reading: folder.journal(topic)), shards: parity.shards(of: topic, plan))
  }

  /// Both copies as one, where there are two; without shards. A mirror that is another
  /// run's is not there.
  func copies(_ topic: Topic) throws(HostError) -> any JournalDevice {
    let specification = plan.ring(topic)
    return try openJournalReader(
      existing: folder.journal(topic), mirror: folder.mirror(topic, plan), hasMirror: missingMirror == nil,
      identity: specification.identity, stride: specification.slotStride)
  }

  func reader(of topic: Topic) throws -> JournalReader {
    let specification = plan.ring(topic)
    return JournalReader(
      device: try device(topic), identity: specification.identity,
      stride: specification.slotStride)
  }
}
