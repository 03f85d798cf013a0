import Host
package import Journal
import Rings
package import RunModel
import ScanPlan
import Stages
import Topics

// What can be measured only once is given up on the record; what was made of it is made again.
extension RunJournals {
  /// What salvage did about one topic.
  package enum Salvage: Equatable, Sendable {
    /// Nothing: every record is whole.
    case none
    /// Files that were no use where they lay: segments have their own names again, all else was moved into this folder.
    case tidied([MisplacedFile], folder: String)
    /// These records of `projections` are lost, and on record as lost.
    case gaveUp([JournalDamage])
    /// The end of `projections` was lost, and was written again as the orders say that it was.
    case ended(EndEvent)
    /// The journal, and what depends on it, was moved into this folder: the run makes it again.
    case setAside(folder: String, reason: String)
  }

  /// Makes the run one that can be resumed. Damaged records of `projections` are given up, and what was made of them is
  /// set aside, so that the volume becomes that of a scan without them, however far the run was. Damaged `orders` and
  /// `updates` are set aside too: they are a function of the projections, and come again as they were. Only where the
  /// pace of updates was decided by how fast the workers were (`--lag-max`), they come otherwise: then what all workers
  /// made of them goes too.
  ///
  /// What was acquired is known afterwards: it is in the `end`, whose count orders know where it is lost. The result of
  /// a run that had finished is set aside as well.
  ///
  /// Refused while the run is alive. Where it is interrupted it can be repeated; a worker does not go on with orders
  /// about what is lost.
  package func salvage() throws -> [(topic: String, done: Salvage)] {
    guard try !folder.isSupervised else {
      throw ScanFailure(
        .cannotCreate, "the run in \(folder.path) has a living supervisor; salvage is for runs that ended")
    }
    // What one copy has whole is not lost.
    if let mirror = RunMirror(plan) { try mirror.prepare(plan, folder) { _ in } }
    try RunParity(plan)?.prepare(self) { _ in }
    let aside = try SalvageFolder(folder)
    let (projections, lost) = try salvageProjections(into: aside)
    var reasons = try plan.placement.workers.indices.map {
      try Self.reasons(
        orders: damage(of: .orders(partition: $0)), updates: damage(of: .updates(partition: $0)),
        isStale: names(lost, worker: $0))
    }
    if plan.distribution.changesPace, reasons.contains(where: { $0.orders != nil }) {
      let together = "its pace was decided together with what is damaged"
      reasons = reasons.map { (orders: $0.orders ?? together, updates: $0.updates ?? together) }
    }
    let corrected = try correctedReason(isLost: !lost.isEmpty)
    if let corrected { reasons = reasons.map { (orders: $0.orders ?? corrected, updates: $0.updates ?? corrected) } }
    // Views point to what is set aside, by sequences that mean something else from then on. They go first: afterwards
    // nothing says that they are stale.
    let isStale = !lost.isEmpty || corrected != nil || reasons.contains { $0.orders != nil || $0.updates != nil }
    let others = try plan.wiring.topics.filter { !Self.madeFromImages.contains($0.kind) }.map {
      ($0.name, try setAsideIfDamaged($0, into: aside, reason: isStale && $0.kind == .views ? Self.stale : nil))
    }
    let workers = try reasons.enumerated().map { try setAside(ofWorker: $0, $1, into: aside) }
    if corrected != nil { try aside.setAside(.corrected, plan) }
    return projections.map { (Topic.projections.name, $0) }
      + (plan.correction == nil
        ? [] : [(Topic.corrected.name, corrected.map { .setAside(folder: aside.path, reason: $0) } ?? .none)])
      + workers.enumerated().map { (Topic.orders(partition: $0).name, $1.orders) }
      + workers.enumerated().map { (Topic.updates(partition: $0).name, $1.updates) }
      + others
  }

  private static let stale = "it points to what is lost, or was set aside"

  /// Why `corrected` is set aside, and with it all that was made of it; nil where it stays. Its sequences count what
  /// was not lost.
  private func correctedReason(isLost: Bool) throws -> String? {
    guard plan.correction != nil else { return nil }
    return isLost ? "it was made of what is lost" : try damage(of: .corrected)
  }

  /// Topics that the volume is made from, or that tell what was made of it: they go together.
  static let madeFromImages: [TopicKind] = [.projections, .corrected, .orders, .updates]

  /// What `control` wrote comes again, or not, as it decides then: the volume is what was acquired either way. So does
  /// what `denoise` wrote.
  private func setAsideIfDamaged(_ topic: Topic, into aside: SalvageFolder, reason: String?) throws -> Salvage {
    guard let reason = try reason ?? damage(of: topic) else { return .none }
    if topic.kind == .views { try aside.setAsideReaders(ofView: plan.scan.views[topic.partition].name) }
    try aside.setAside(topic, plan)
    return .setAside(folder: aside.path, reason: reason)
  }

  /// Puts the files of `projections` in order, gives up what is damaged, and ends it again where its end was lost; says
  /// what was done, and what is lost.
  private func salvageProjections(into aside: SalvageFolder) throws -> (done: [Salvage], lost: [Range<UInt64>]) {
    let topic = Topic.projections, specification = plan.ring(.projections)
    var done: [Salvage] = []
    let misplaced = try misplacedFiles(
      device: PwriteDevice(folder: folder.journal(topic)), identity: specification.identity,
      stride: specification.slotStride)
    if !misplaced.isEmpty {
      try aside.putInPlace(misplaced, journal: folder.journal(topic))
      done.append(.tidied(misplaced, folder: aside.path))
    }
    var report = try report(on: topic, depth: .everything)
    if !report.damages.isEmpty {
      done.append(.gaveUp(report.damages))
      try aside.setAsideResult()
      try giveUp(topic)
      report = try self.report(on: topic, depth: .everything)
    }
    // The orders go later: until then they are evidence.
    if report.losses.last?.upperBound == report.nextSequence, let end = try testifiedEnd() {
      try aside.setAsideResult()
      try self.end(topic, after: report.epoch, with: end)
      done.append(.ended(end))
    }
    return (done.isEmpty ? [.none] : done, report.losses)
  }

  private func giveUp(_ topic: Topic) throws {
    let specification = plan.ring(topic)
    _ = try salvageJournal(
      device: try openJournalDevice(
        folder: folder.journal(topic), mirror: folder.mirror(topic, plan), identity: specification.identity,
        stride: specification.slotStride),
      identity: specification.identity, stride: specification.slotStride, options: try options(topic))
  }

  /// Closes a topic whose end was lost.
  private func end(_ topic: Topic, after epoch: UInt64, with end: EndEvent) throws {
    let specification = plan.ring(topic)
    let journal = try JournalWriter(
      device: try openJournalDevice(
        folder: folder.journal(topic), mirror: folder.mirror(topic, plan), identity: specification.identity,
        stride: specification.slotStride),
      identity: specification.identity, stride: specification.slotStride, epoch: epoch + 1, options: try options(topic))
    try journal.append(kind: .end, end.encode)
    try journal.close()
  }

  private func options(_ topic: Topic) throws -> JournalOptions {
    var options = TopicWriter.options(plan.ring(topic))
    options.durableFloor = try durableFloor(of: topic)
    return options
  }

  /// Why a worker's topics are set aside; nil for a topic that stays.
  private typealias Reasons = (orders: String?, updates: String?)

  private static func reasons(orders: String?, updates: String?, isStale: Bool) -> Reasons {
    let stale = isStale ? "it was made of what is lost" : nil
    return (orders ?? stale, updates ?? stale)
  }

  /// Sets aside what one worker's stream lost, or made of what is lost. A volume that is saved has been reported, so
  /// whoever reports everything again computes everything again. The evidence goes last, so that a salvage that was
  /// interrupted finds it.
  private func setAside(
    ofWorker worker: Int, _ reasons: Reasons, into aside: SalvageFolder
  ) throws -> (orders: Salvage, updates: Salvage) {
    let (orders, updates) = (Topic.orders(partition: worker), Topic.updates(partition: worker))
    if reasons.updates != nil {
      try aside.setAsideCheckpoints(ofWorker: worker)
      try aside.setAside(updates, plan)
    }
    if reasons.orders != nil { try aside.setAside(orders, plan) }
    func done(_ reason: String?) -> Salvage { reason.map { .setAside(folder: aside.path, reason: $0) } ?? .none }
    return (done(reasons.orders), done(reasons.updates))
  }

  /// What is wrong with a journal that can be made again; nil where nothing is.
  private func damage(of topic: Topic) throws -> String? {
    do {
      let damages = try report(on: topic, depth: .everything).damages
      return damages.isEmpty ? nil : damages.map(\.description).joined(separator: "; ")
    } catch let error as JournalError {
      switch error {
      case .corrupted, .refused: return "\(error)"
      default: throw error
      }
    }
  }

  /// Whether a worker was told to take one of the lost events, or may have been.
  private func names(_ lost: [Range<UInt64>], worker: Int) throws -> Bool {
    let (orders, rows) = (Topic.orders(partition: worker), plan.placement.workers[worker].rows)
    if lost.isEmpty { return false }
    if try damage(of: orders) != nil { return true }
    return try anyRecord(of: orders) { record in
      guard record.header.kind == .order else { return false }
      let order = try WorkerOrder(decoding: record.metadata, rows: rows)
      guard case .rows(_, let sequence, _, _) = order else { return false }
      return lost.contains { $0.contains(sequence) }
    }
  }

  /// Whether `isSought` holds for any record of a topic.
  private func anyRecord(of topic: Topic, _ isSought: (JournalReader.Record) throws -> Bool) throws -> Bool {
    let reader = try reader(of: topic)
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: reader.stride, alignment: EventHeader.pageByteCount)
    defer { page.deallocate() }
    for range in try reader.sequences() {
      for sequence in range where try isSought(reader.read(sequence: sequence, into: page)) { return true }
    }
    return false
  }
}
