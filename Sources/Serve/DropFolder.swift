import Glibc
import Host
import ScanPlan

/// A folder into which people, or programs, put scan files. Each is queued once, when it has stayed as it is for a
/// moment; one that is replaced later is another scan.
struct DropFolder {
  private let path: String
  private let source: String
  private var looked: ContinuousClock.Instant?
  /// What is in the queue, and what is not to be looked at again.
  private var known: Set<[Int]>?
  /// Files that are there, as they were, and since when.
  private var waiting: [String: (stamp: FileStamp, since: ContinuousClock.Instant)] = [:]

  private static let endings: Set = ["h5", "hdf5", "hdf", "nxs", "nx", "he5"]
  private static let (period, settled) = (Duration.milliseconds(500), Duration.seconds(2))

  /// - Throws: `.noInput` where there is no such folder.
  init(path: String, source: String) throws(ScanFailure) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, access(path, R_OK | X_OK) == 0 else {
      throw ScanFailure(.noInput, "\(path) is no folder that can be read; create it for the source \(source)")
    }
    (self.path, self.source) = (path, source)
  }

  /// Queues what is new.
  mutating func look(into queue: ScanQueue, notice: (String) -> Void) throws {
    if let looked, .now - looked < Self.period { return }
    looked = .now
    if known == nil {
      known = Set(try queue.numbers().compactMap { try queue.entryIfWhole($0)?.fileIdentity })
    }
    let names = try Folder(path).names().filter { name in
      !name.hasPrefix(".") && Self.endings.contains(name.split(separator: ".").last.map { $0.lowercased() } ?? "")
    }.sorted()
    waiting = waiting.filter { names.contains($0.key) }
    for name in names {
      let file = "\(path)/\(name)"
      var status = stat()
      guard stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, let stamp = FileStamp(path: file),
        known?.contains(stamp.words) == false
      else { continue }
      guard let seen = waiting[name], seen.stamp == stamp else {
        waiting[name] = (stamp, .now)
        continue
      }
      guard .now - seen.since >= Self.settled else { continue }
      let entry = try queue.add { number in
        QueueEntry(
          number: number, source: source, file: file, fileIdentity: stamp.words, sample: Self.sample(name),
          state: .waiting, added: QueueEntry.now)
      }
      known?.insert(stamp.words)
      notice("scan \(entry.number) is \(file)")
    }
  }

  /// The name of a file without its ending.
  static func sample(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false).dropLast().joined(separator: ".")
  }
}
