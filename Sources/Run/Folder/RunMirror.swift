import Foundation
import Glibc
import Host
import Journal
import Rings
import RunModel
import ScanPlan
import Stages
import Topics

/// The second folder of a run, on another disk: its journals once more, and what says how to read them.
///
/// ```
/// journal/TOPIC/…      as in the run's folder
/// plan.json, plan.copy.json, scan.yaml, metadata.h5   copies, written before the first image
/// export.json, losses.json, …   reports of stages, where the disk of the run's folder failed
/// salvaged/            what salvage set aside here
/// ```
package struct RunMirror: Sendable {
  /// Absolute path of the folder.
  let path: String

  /// The folder at `path`; nothing is created.
  package init(path: String) { self.path = absolutePath(path) }

  /// That of a run; nil where it has none.
  init?(_ plan: RunPlan) {
    guard let mirror = plan.scan.mirror else { return nil }
    self.init(path: mirror)
  }

  var journals: String { path + "/journal" }

  /// The second copy of a topic's journal.
  func journal(_ topic: Topic) -> String { "\(journals)/\(topic.folderName)" }

  /// Creates what a new run needs here. Throws where another one has begun to, since this was seen to be empty.
  func create(topics: [Topic], copying folder: RunFolder) throws {
    guard mkdir(journals, 0o700) == 0 else {
      throw ScanFailure(
        .cannotCreate,
        errno == EEXIST
          ? "\(path) is not empty: it is one run's; name an empty folder"
          : "cannot create the folder \(journals) (\(Errno.current)); choose another one")
    }
    for made in [journals] + topics.map(journal) { try RunFolder.makeFolder(made, for: .owner) }
    try copyDescriptions(from: folder.path, to: path)
  }

  /// Gives a run's folder that was lost what it needs to be read. Throws where this is no mirror, nor shards.
  func restore(_ folder: RunFolder) throws {
    guard access(path + "/plan.json", F_OK) == 0 else {
      throw ScanFailure(.noInput, "\(path) is neither the mirror nor shards of a run: it has no plan.json")
    }
    for made in [folder.path, folder.logFolder, folder.checkpoints, folder.requests] {
      try RunFolder.makeFolder(made, for: .owner)
    }
    try copyDescriptions(from: path, to: folder.path)
    try bringReports(to: folder)
  }

  private func copyDescriptions(from source: String, to target: String) throws {
    for name in ["plan.copy.json", "scan.yaml", RunPlan.metadataName, "plan.json"] {
      guard access("\(source)/\(name)", F_OK) == 0 else { continue }
      let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(source)/\(name)")))
      try writeFileAtomically(path: "\(target)/\(name)", bytes: bytes, isPrivate: true)
    }
  }

  /// Whether the folder is there and this run's. Throws where it is another run's.
  func isThere(_ plan: RunPlan) throws -> Bool {
    guard access(path + "/plan.json", F_OK) == 0 else { return false }
    let found = try RunFolder(path: path).readPlan().runID
    guard found == plan.runID else {
      throw ScanFailure(.data, "\(path) is a copy of run \(found), and this is run \(plan.runID)")
    }
    return true
  }

  /// Makes a folder that is there and empty, as on a new disk, the run's mirror again.
  func adopt(_ plan: RunPlan, _ folder: RunFolder) throws {
    guard try !isThere(plan), CopyFolders.isEmpty(path) else { return }
    try create(topics: plan.wiring.topics, copying: folder)
  }

  /// Makes both copies whole where one was lost, before a run is resumed; says what was done.
  func prepare(_ plan: RunPlan, _ folder: RunFolder, _ notice: (String) -> Void) throws {
    guard try isThere(plan) else {
      return notice("the mirror \(path) is not there: the run goes on with the journals in \(folder.path) alone")
    }
    try bringReports(to: folder)
    for topic in plan.wiring.topics where try needsMending(topic, folder) {
      let report = try mend(topic, plan, folder)
      for copy in report.copies where !copy.segments.isEmpty || copy.wasBehind {
        notice(
          "wrote \(counted(copy.segments.count, "segment")) of \(copy.folder) again from the other copy, "
            + "\(counted(copy.records, "record")) that it lacked")
      }
    }
  }

  /// Whether one copy went on without the other, or files are missing.
  private func needsMending(_ topic: Topic, _ folder: RunFolder) throws -> Bool {
    let names = [folder.journal(topic), journal(topic)].map { path -> Set<String>? in
      do throws(HostError) {
        return Set(try Folder(path).names().filter { !$0.hasSuffix(".new") && !$0.hasSuffix(".mend") })
      } catch { return nil }
    }
    return names[0] == nil || names[0] != names[1] || names[0]?.contains(Self.alone) == true
  }

  /// Reads both copies of a topic's journal, and writes again what one lacks.
  func mend(_ topic: Topic, _ plan: RunPlan, _ folder: RunFolder) throws -> MendReport {
    let specification = plan.ring(topic), folders = [folder.journal(topic), journal(topic)]
    for folder in folders { try RunFolder.makeFolder(folder, for: .owner) }
    let pair = try MirroredDevice(folders, identity: specification.identity, stride: specification.slotStride) {
      (folder) throws(HostError) in try openJournalDevice(folder: folder)
    }
    return try mendJournal(pair, options: TopicWriter.options(specification))
  }

  /// The copies that the run goes on without: folders of journals.
  func lost(_ topics: [Topic], _ folder: RunFolder) -> [String] {
    topics.flatMap { topic in
      let (own, other) = (folder.journal(topic), journal(topic))
      return (access("\(own)/\(Self.alone)", F_OK) == 0 ? [other] : [])
        + (access("\(other)/\(Self.alone)", F_OK) == 0 ? [own] : [])
    }
  }

  /// The file of a copy that went on without the other.
  private static let alone = "alone"

  /// Whether a salvage moved a copy of the topic away.
  func hasSetAside(_ topic: Topic) -> Bool { SalvageFolder.holds(topic, in: "\(path)/salvaged") }

  /// Moves a topic's copy away, as salvage does with the run's own.
  func setAside(_ topic: Topic, number: String) throws {
    let source = journal(topic), target = "\(path)/salvaged/\(number)"
    guard access(source, F_OK) == 0 else { return }
    try RunFolder.makeFolder(target, for: .owner)
    guard rename(source, "\(target)/\(topic.folderName)") == 0 else {
      throw HostError.system(call: "rename", subject: source, errno: .current)
    }
    try RunFolder.makeFolder(source, for: .owner)
    for changed in [target, "\(path)/salvaged", path, journals] { try DurableFolder(changed).sync() }
  }
}

extension RunFolder {
  /// Takes what says how to read the run from its mirror, where this folder is gone. Throws where the folder's disk is
  /// not mounted, unless on `anyDisk`.
  package func restore(from mirror: RunMirror, anyDisk: Bool = false) throws {
    guard access(plan, F_OK) != 0 else { return }
    if !anyDisk, let failure = mirror.unmounted(self) { throw failure }
    try mirror.restore(self)
  }

  /// The second copy of a topic's journal; nil where the run has none.
  func mirror(_ topic: Topic, _ plan: RunPlan) -> String? { RunMirror(plan)?.journal(topic) }
}
