import Foundation
import Glibc
import Host
import Journal
import ScanPlan

/// Where a salvage puts what it sets aside: nothing there is read again, and nothing of it is changed.
///
/// ```
/// salvaged/1/orders.0/…                    a topic's journal
/// salvaged/1/volume.0.12.checkpoint        a saved volume
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

  /// Moves a journal away, once nobody writes it, and leaves an empty one.
  func setAside(journal: String) throws {
    let device = try PwriteDevice(folder: journal)
    let wait = JournalOptions().lockWait
    guard try device.lockFolder(wait: wait) else { throw JournalError.locked(folder: journal, waited: wait) }
    try move(journal)
    try RunFolder.makeFolder(journal, for: .owner)
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
  private func move(_ source: String) throws {
    for made in [folder.salvaged, path] { try RunFolder.makeFolder(made, for: .owner) }
    let url = URL(fileURLWithPath: source)
    guard rename(source, "\(path)/\(url.lastPathComponent)") == 0 else {
      throw HostError.system(call: "rename", subject: source, errno: .current)
    }
    for changed in [path, folder.salvaged, folder.path, url.deletingLastPathComponent().path] {
      try DurableFolder(changed).sync()
    }
  }
}
