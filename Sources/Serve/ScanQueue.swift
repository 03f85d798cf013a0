import Foundation
import Glibc
import Host
package import ScanPlan

/// The scans that a server has, had, and will have, in a folder: nothing of it is in a process's memory alone.
///
/// ```
/// <folder>/server.lock          held by the server as long as it lives
/// <folder>/queue.lock           held by whoever changes an entry, for that moment
/// <folder>/changes.jsonl        what changed, for those who follow it (ChangeLog)
/// <folder>/watched.NAME.json    what of the folder was taken that the source NAME watches
/// <folder>/queue/000017/        a scan
///   entry.json                  QueueEntry; replaced, durably, with each change
///   spool/                      its frames, of a detector's scan
///   scan.yaml                   what its reconstruction is to do
///   outcome.json                what the last attempt came to
///   log                         what it said
/// <folder>/runs/000017/         its run
/// <folder>/scans/…              its volume
/// ```
/// An entry is made under another name and renamed: it is there whole or not at all.
package struct ScanQueue: Sendable {
  /// Absolute path of the server's folder.
  package let folder: String

  private static let lockLimit: Duration = .seconds(30)

  /// The queue in a server's folder.
  package init(folder: String) { self.folder = absolutePath(folder) }

  var entries: String { "\(folder)/queue" }
  var serverLock: String { "\(folder)/server.lock" }

  /// The folder of an entry.
  func folder(of number: Int) -> String { "\(entries)/\(Self.name(number))" }

  /// The spool of an entry.
  package func spool(of number: Int) -> String { "\(folder(of: number))/spool" }

  /// What the processes of an entry said.
  package func log(of number: Int) -> String { "\(folder(of: number))/log" }

  /// The folder of an entry's run.
  func runFolder(of number: Int) -> String { "\(runs)/\(Self.name(number))" }

  /// Where runs are.
  var runs: String { "\(folder)/runs" }

  /// What of a watched folder was taken.
  func watchNotes(of source: String) -> String { "\(folder)/watched.\(source).json" }

  static func name(_ number: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// Makes the folders that every server has.
  func create() throws(ScanFailure) {
    for path in [entries, "\(folder)/runs", "\(folder)/scans"] {
      do throws(HostError) { try DurableFolder.make(path, for: path == entries ? .owner : .usual) } catch {
        throw ScanFailure(.cannotCreate, "cannot create the folder \(path): \(error)")
      }
    }
  }

  /// Throws where there is no queue.
  package func refuseIfMissing() throws(ScanFailure) {
    guard access(entries, F_OK) == 0 else {
      throw ScanFailure(.noInput, "\(folder) is no folder of a server; slipring serve makes one")
    }
  }

  /// Numbers of all entries, rising.
  package func numbers() throws -> [Int] {
    try Folder(entries).names().compactMap { name in
      guard name.count >= 6, let number = Int(name), Self.name(number) == name else { return nil }
      return number
    }.sorted()
  }

  /// An entry; nil where there is none of that number.
  /// - Throws: `.data` where it is damaged.
  package func entry(_ number: Int) throws(ScanFailure) -> QueueEntry? {
    let path = "\(folder(of: number))/entry.json"
    guard let entry = try JSONFile.read(QueueEntry.self, path) else { return nil }
    guard entry.number == number else { throw ScanFailure(.data, "\(path) is that of scan \(entry.number)") }
    return entry
  }

  /// The same, nil also where it is damaged, which the server tells.
  func entryIfWhole(_ number: Int) throws(ScanFailure) -> QueueEntry? {
    do throws(ScanFailure) { return try entry(number) } catch {
      guard error.sysExit == .data else { throw error }
      return nil
    }
  }

  /// Adds an entry, with what `fill` puts into its folder, and gives its number.
  func add(_ make: (_ number: Int) -> QueueEntry, fill: (_ folder: String) throws -> Void = { _ in }) throws
    -> QueueEntry
  {
    try locked {
      let entry = make((try numbers().last ?? 0) + 1)
      let path = folder(of: entry.number), new = "\(path).new"
      // What somebody left who died here was never an entry.
      if access(new, F_OK) == 0 { try FileManager.default.removeItem(atPath: new) }
      try DurableFolder.make(new, for: .owner)
      try fill(new)
      try Self.write(entry, to: new)
      guard rename(new, path) == 0 else {
        throw ScanFailure(.cannotCreate, "cannot create \(path): \(String(cString: strerror(errno)))")
      }
      try DurableFolder(entries).sync()
      note(entry, before: nil)
      return entry
    }
  }

  /// Changes an entry; gives it as it is then, nil where `change` refuses.
  @discardableResult
  func update(_ number: Int, _ change: (inout QueueEntry) throws -> Bool) throws -> QueueEntry? {
    try locked {
      guard var entry = try entry(number) else {
        throw ScanFailure(.noInput, "there is no scan \(number) in \(folder); slipring list shows all")
      }
      let before = entry
      guard try change(&entry) else { return nil }
      precondition(entry.number == number, "entry \(number) became \(entry.number)")
      if entry != before {
        try Self.write(entry, to: folder(of: number))
        note(entry, before: before.state)
      }
      return entry
    }
  }

  /// Tells those who follow the queue. The entry is what counts: what cannot be told now, as on a disk that is full, is
  /// made up for when the next server starts.
  private func note(_ entry: QueueEntry, before state: QueueEntry.EntryState?) {
    do { try changes.append(entry, before: state) } catch {}
  }

  private static func write(_ entry: QueueEntry, to folder: String) throws {
    try JSONFile.write(entry, to: "\(folder)/entry.json")
  }

  func locked<Result>(_ body: () throws -> Result) throws -> Result {
    let deadline = Deadline(after: Self.lockLimit)
    while true {
      if let lock = try LockFile(path: "\(folder)/queue.lock") {
        defer { withExtendedLifetime(lock) {} }
        return try body()
      }
      guard !deadline.hasPassed else {
        throw ScanFailure(.temporary, "somebody has held \(folder)/queue.lock for \(Self.lockLimit)")
      }
      usleep(2000)
    }
  }
}
