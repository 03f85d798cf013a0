import Glibc
import Host
import ScanFiles
import ScanPlan

/// A folder into which people, or programs, put scans: HDF5 files, and folders of TIFF files. Each is queued once, when
/// it has stayed as it is for a moment; one that is replaced later is another scan. What is no scan is told once.
struct DropFolder {
  private let path: String
  private let source: String
  private var looked: ContinuousClock.Instant?
  /// What is in the queue, and what is not to be looked at again.
  private var known: Set<[Int]>?
  /// What is there, as it was, and since when.
  private var waiting: [String: (state: [Int], since: ContinuousClock.Instant)] = [:]
  /// Folders that were dealt with, as they were then.
  private var settledFolders: [String: FileStamp] = [:]
  /// Names of which it was said that they are no scans.
  private var told: Set<String> = []

  private static let endings: Set = ["h5", "hdf5", "hdf", "nxs", "nx", "he5"]
  private static let (period, settled) = (Duration.milliseconds(500), Duration.seconds(2))
  private static let toldMax = 1000

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
    let names = try Folder(path).names().filter { !$0.hasPrefix(".") }.sorted()
    let there = Set(names)
    waiting = waiting.filter { there.contains($0.key) }
    settledFolders = settledFolders.filter { there.contains($0.key) }
    for name in names {
      var status = stat()
      guard stat("\(path)/\(name)", &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try look(atFolder: name, queue, notice)
      case S_IFREG where Self.endings.contains(name.split(separator: ".").last.map { $0.lowercased() } ?? ""):
        guard let stamp = FileStamp(path: "\(path)/\(name)"), known?.contains(stamp.words) == false,
          isSettled(name, stamp.words)
        else { continue }
        try add(name, identity: stamp.words, sample: Self.sample(name), queue, notice)
      default:
        guard !told.contains(name), let stamp = FileStamp(path: "\(path)/\(name)"), isSettled(name, stamp.words) else {
          continue
        }
        tell(name, "a scan is an HDF5 file (\(Self.endings.sorted().joined(separator: ", "))) or a folder", notice)
      }
    }
  }

  /// Queues a folder of TIFF files. It is read only where something appeared in it, or it has not settled.
  private mutating func look(atFolder name: String, _ queue: ScanQueue, _ notice: (String) -> Void) throws {
    let folder = "\(path)/\(name)"
    guard let stamp = FileStamp(path: folder), settledFolders[name] != stamp else { return }
    let images: [String]
    do throws(FileError) { images = try ImageFiles.list(folder) } catch {
      guard isSettled(name, stamp.words) else { return }
      settledFolders[name] = stamp
      return tell(name, "\(error)", notice)
    }
    guard let first = images.first, let firstStamp = FileStamp(path: first) else { return }
    // What is added to a folder that is in the queue makes no other scan of it.
    let identity = stamp.words.prefix(1) + [firstStamp.words[0]] + firstStamp.words.suffix(2)
    guard known?.contains(Array(identity)) == false else {
      settledFolders[name] = stamp
      return
    }
    guard isSettled(name, Self.state(of: images)) else { return }
    try add(name, identity: Array(identity), sample: name, queue, notice)
    settledFolders[name] = stamp
  }

  /// How many files, bytes, and the newest of their times.
  private static func state(of files: [String]) -> [Int] {
    let stamps = files.compactMap { FileStamp(path: $0)?.words }
    let newest = stamps.map { $0.suffix(2) }.max { $0.lexicographicallyPrecedes($1) } ?? []
    return [files.count, stamps.reduce(0) { $0 + $1[1] }] + newest
  }

  /// Whether something has stayed as it is.
  private mutating func isSettled(_ name: String, _ state: [Int]) -> Bool {
    guard let seen = waiting[name], seen.state == state else {
      waiting[name] = (state, .now)
      return false
    }
    return .now - seen.since >= Self.settled
  }

  private mutating func add(
    _ name: String, identity: [Int], sample: String, _ queue: ScanQueue, _ notice: (String) -> Void
  ) throws {
    let file = "\(path)/\(name)"
    let entry = try queue.add { number in
      QueueEntry(
        number: number, source: source, file: file, fileIdentity: identity, sample: sample, state: .waiting,
        added: QueueEntry.now)
    }
    known?.insert(identity)
    notice("scan \(entry.number) is \(file)")
  }

  private mutating func tell(_ name: String, _ why: String, _ notice: (String) -> Void) {
    guard told.count < Self.toldMax, told.insert(name).inserted else { return }
    notice("\(path)/\(name) is left alone: \(why)")
  }

  /// The name of a file without its ending.
  static func sample(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false).dropLast().joined(separator: ".")
  }
}
