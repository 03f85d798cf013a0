import Glibc
import Host
import Journal
import Rings
import RunModel
import ScanPlan
import Stages
import Topics

/// The folders of a run's shards, each on a device of its own: each is laid out as a mirror is, with shards in place of
/// segments.
///
/// ```
/// journal/TOPIC/….k3   piece 3 of each stripe of a segment
/// plan.json, plan.copy.json, scan.yaml, metadata.h5   copies, written before the first image
/// salvaged/            what salvage set aside here
/// ```
struct RunParity: Sendable {
  let parity: Parity
  /// A folder for each shard.
  let roots: [RunMirror]

  /// That of a run; nil where it has none.
  init?(_ plan: RunPlan) {
    guard let parity = plan.scan.parity else { return nil }
    self.parity = parity
    roots = parity.folders.map { RunMirror(path: $0) }
  }

  private var code: ErasureCode { ErasureCode(data: parity.data, parity: parity.parity) }

  /// Creates what a new run needs in every folder.
  func create(topics: [Topic], copying folder: RunFolder) throws {
    for root in roots { try root.create(topics: topics, copying: folder) }
  }

  /// The folder that a topic's shards lie in, on its device.
  func root(of folder: String) -> String { roots.first { folder.hasPrefix($0.path + "/") }?.path ?? folder }

  /// Makes each folder that is there and empty, as on a new disk, one of this run's again; not one whose disk is not
  /// mounted, unless on `anyDisk`.
  func adopt(_ plan: RunPlan, _ folder: RunFolder, anyDisk: Bool) throws {
    for root in roots where anyDisk || root.unmounted(plan, folder) == nil { try root.adopt(plan, folder) }
  }

  /// The shards of a topic's journal. A folder that is not there, or another run's, is one that failed.
  func shards(of topic: Topic, _ plan: RunPlan) -> ShardFolders {
    let specification = plan.ring(topic)
    return ShardFolders(
      roots.map { $0.journal(topic) }, code: code, identity: specification.identity, stride: specification.slotStride
    ) { (folder) throws(HostError) in
      let root = roots.first { $0.journal(topic) == folder }
      guard let root, root.isOf(plan) else {
        let path = root?.path ?? folder, isThere = access(path, F_OK) == 0
        throw .system(
          call: "open", subject: isThere ? "\(path)/plan.json of this run" : path, errno: Errno(rawValue: ENOENT))
      }
      return try PwriteDevice(folder: folder)
    }
  }

  /// Writes again what a topic's journal lacks or has damaged, as far as there are shards of it.
  func mend(_ topic: Topic, _ plan: RunPlan, _ folder: RunFolder, floor: UInt64 = 0) throws -> MendReport {
    try RunFolder.makeFolder(folder.journals, for: .owner)
    try RunFolder.makeFolder(folder.journal(topic), for: .owner)
    var options = TopicWriter.options(plan.ring(topic))
    options.durableFloor = floor
    return try mendJournal(
      openJournalDevice(folder: folder.journal(topic)), from: shards(of: topic, plan), options: options)
  }

  /// Makes journals whole that have something damaged or lost, before a run is resumed or salvaged; says what was done.
  /// Reads all of them: stages read a journal's own folder alone.
  func prepare(_ journals: RunJournals, _ notice: (String) -> Void) throws {
    let (plan, folder) = (journals.plan, journals.folder)
    for topic in plan.wiring.topics where try needsMending(topic, journals) {
      let report = try mend(topic, plan, folder)
      for copy in report.copies where !copy.segments.isEmpty {
        notice(
          "wrote \(counted(copy.segments.count, "segment")) of \(copy.folder) again from shards, "
            + "\(counted(copy.records, "record")) that it lacked")
      }
    }
  }

  private func needsMending(_ topic: Topic, _ journals: RunJournals) throws -> Bool {
    let shards = shards(of: topic, journals.plan)
    if try shards.hasMore(than: journals.folder.journal(topic)) { return true }
    do {
      // Of the journal's own folder: read together with its shards it looks whole.
      return try !shards.segments.isEmpty && !journals.ownReport(on: topic, depth: .everything).isIntact
    } catch let error as JournalError {
      if case .host = error { throw error }
      return true
    }
  }

  /// Moves a topic's shards away, as salvage does with the run's own journal: what comes in its place has the same
  /// names.
  func setAside(_ topic: Topic, _ plan: RunPlan, number: String) throws {
    for root in roots where root.isOf(plan) { try root.setAside(topic, number: number) }
  }

  /// Whether a salvage moved shards of the topic away.
  func hasSetAside(_ topic: Topic) -> Bool { roots.contains { $0.hasSetAside(topic) } }
}

extension RunMirror {
  /// Whether the folder is there and this run's.
  func isOf(_ plan: RunPlan) -> Bool { (try? isThere(plan)) == true }
}
