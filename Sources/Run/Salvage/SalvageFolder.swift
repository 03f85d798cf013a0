import Foundation
import Glibc
import Host
import Journal
import RunModel
import ScanPlan

/// Where a salvage puts what it sets aside: nothing there is read again, and nothing of it is changed.
///
/// ```
/// salvaged/1/orders.0/…                    a topic's journal
/// salvaged/1/volume.0.12.checkpoint        a saved volume
/// salvaged/1/projections.0-files/…         what lay where it was no use, of a topic that is not set aside
/// salvaged/1/readers-pairs/…               where readers of the view `pairs` were, which is made again
/// salvaged/1/export.json                   the result of a run that had finished
/// ```
struct SalvageFolder {
  private let folder: RunFolder
  /// The first number that is free: every salvage has a folder of its own.
  let path: String

  private static let countMax = 10_000

  init(_ folder: RunFolder) throws(ScanFailure) {
    self.folder = folder
    guard let number = (1...Self.countMax).first(where: { access("\(folder.salvaged)/\($0)", F_OK) != 0 }) else {
      throw ScanFailure(.cannotCreate, "\(folder.salvaged) holds \(Self.countMax) salvages; remove some")
    }
    path = "\(folder.salvaged)/\(number)"
  }

  /// Whether any of the salvages in a folder moved the topic's journal away.
  static func holds(_ topic: Topic, in salvages: String) -> Bool {
    (1...countMax).lazy.prefix { access("\(salvages)/\($0)", F_OK) == 0 }.contains {
      access("\(salvages)/\($0)/\(topic.folderName)", F_OK) == 0
    }
  }

  /// Moves what says that the run has finished away: it has not any more. To be called before anything else is changed.
  func setAsideResult() throws {
    if access(folder.export, F_OK) == 0 { try move(folder.export) }
    if !folder.isUnfinished { try move(folder.status) }
  }

  /// Moves files of a journal away, once nobody writes it, and those that have a place there to it.
  func putInPlace(_ files: [MisplacedFile], journal: String) throws {
    try setAsideResult()
    let device = try PwriteDevice(folder: journal)
    try lock(device)
    let target = "\(path)/\(URL(fileURLWithPath: journal).lastPathComponent)-files"
    try RunFolder.makeFolder(target, for: .owner)
    // Two may have each other's names.
    for file in files { try rename("\(journal)/\(file.name)", to: "\(target)/\(file.name)") }
    for file in files {
      if let place = file.place { try rename("\(target)/\(file.name)", to: "\(journal)/\(place)") }
    }
    for changed in [target, path, folder.salvaged, folder.path, journal] { try DurableFolder(changed).sync() }
    device.unlockFolder()
  }

  /// Moves a topic's journal away, in both copies, once nobody writes it, and leaves an empty one.
  func setAside(_ topic: Topic, _ plan: RunPlan) throws {
    let journal = folder.journal(topic)
    try setAsideResult()
    let device = try PwriteDevice(folder: journal)
    try lock(device)
    try move(journal)
    try RunFolder.makeFolder(journal, for: .owner)
    let number = URL(fileURLWithPath: path).lastPathComponent
    try RunMirror(plan)?.setAside(topic, number: number)
    try RunParity(plan)?.setAside(topic, plan, number: number)
  }

  /// Moves what readers of a view have away: it says where they were in the one that was set aside.
  func setAsideReaders(ofView name: String) throws {
    let readers = "\(folder.views)/\(name)"
    if access(readers, F_OK) == 0 { try move(readers, as: "readers-\(name)") }
  }

  private func lock(_ device: PwriteDevice) throws {
    let wait = JournalOptions().lockWait
    guard try device.lockFolder(wait: wait) else { throw JournalError.locked(folder: device.folder, waited: wait) }
  }

  /// Moves the saved volumes of worker `partition` away.
  func setAsideCheckpoints(ofWorker partition: Int) throws {
    guard access(folder.checkpoints, F_OK) == 0 else { return }
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.checkpoints).sorted()
    where name.hasPrefix("volume.\(partition).") {
      try move("\(folder.checkpoints)/\(name)")
    }
  }

  /// Durable when it returns: a run that is resumed must not find again what salvage said was gone.
  private func move(_ source: String, as name: String? = nil) throws {
    for made in [folder.salvaged, path] { try RunFolder.makeFolder(made, for: .owner) }
    let url = URL(fileURLWithPath: source)
    try rename(source, to: "\(path)/\(name ?? url.lastPathComponent)")
    for changed in [path, folder.salvaged, folder.path, url.deletingLastPathComponent().path] {
      try DurableFolder(changed).sync()
    }
  }

  private func rename(_ source: String, to target: String) throws(HostError) {
    guard Glibc.rename(source, target) == 0 else {
      throw HostError.system(call: "rename", subject: source, errno: .current)
    }
  }
}

extension RunFolder {
  /// Whether a salvage moved the topic's journal away.
  func hasSetAside(_ topic: Topic) -> Bool { SalvageFolder.holds(topic, in: salvaged) }
}
