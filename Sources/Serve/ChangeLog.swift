import Foundation
import Glibc
import Host
import ScanPlan

/// The changes of a queue, a line of JSON for each, so that whoever follows the queue misses none and goes on where it
/// was.
///
/// ```
/// <folder>/changes.jsonl      {"id":4711,…}      appended to under the queue's lock, behind the change of the entry
/// <folder>/changes.1.jsonl    what was before    taken in place of an older one when the first is full
/// ```
/// The entries are what counts: a line that could not be written, or was cut off by the end of its process, is made up
/// for when the next server starts.
struct ChangeLog {
  private let folder: String

  private static let byteCountMax = 4 << 20
  /// More than the longest line.
  private static let tailByteCount = 64 << 10
  static let newline = UInt8(ascii: "\n")

  init(folder: String) { self.folder = folder }

  var path: String { "\(folder)/changes.jsonl" }
  var earlierPath: String { "\(folder)/changes.1.jsonl" }

  /// Adds the change that made an entry what it is. To be called with the queue's lock.
  func append(_ entry: QueueEntry, before previous: QueueEntry.EntryState?) throws {
    let descriptor = try openToWrite()
    defer { close(descriptor) }
    let id = try lastID(behind: descriptor) + 1
    let line = try Self.encode(ScanChange(id: id, entry, before: previous))
    guard write(descriptor, line, line.count) == line.count else {
      throw ScanFailure(.inputOutput, "cannot write \(path): \(String(cString: strerror(errno)))")
    }
  }

  /// The number of the newest change; 0 before the first.
  var lastID: Int {
    for path in [path, earlierPath] {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if let id = Self.tail(descriptor).lastID { return id }
    }
    return 0
  }

  /// The changes in whole lines whose number is above `id`.
  static func changes(in bytes: ArraySlice<UInt8>, after id: Int) -> [ScanChange] {
    let decoder = JSONDecoder()
    return bytes.split(separator: newline).compactMap { line in
      guard let number = number(of: line), number > id else { return nil }
      // A line that is none was written by nobody of ours, and is left out.
      return try? decoder.decode(ScanChange.self, from: Data(line))
    }
  }

  private func openToWrite() throws -> Int32 {
    let flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
    func opened() throws -> Int32 {
      let descriptor = open(path, flags, 0o600)
      guard descriptor >= 0 else {
        throw ScanFailure(.inputOutput, "cannot open \(path): \(String(cString: strerror(errno)))")
      }
      return descriptor
    }
    let descriptor = try opened()
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) > Self.byteCountMax else { return descriptor }
    close(descriptor)
    guard rename(path, earlierPath) == 0 else {
      throw ScanFailure(.inputOutput, "cannot rename \(path): \(String(cString: strerror(errno)))")
    }
    return try opened()
  }

  /// The number of the last line, behind which nothing is left of one that was cut off.
  private func lastID(behind descriptor: Int32) throws -> Int {
    let (end, size, id) = Self.tail(descriptor)
    if end < size, ftruncate(descriptor, off_t(end)) != 0 {
      throw ScanFailure(.inputOutput, "cannot mend \(path): \(String(cString: strerror(errno)))")
    }
    return id ?? lastID
  }

  /// Where the last whole line ends, where the file does, and the line's number.
  private static func tail(_ descriptor: Int32) -> (end: Int, size: Int, lastID: Int?) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return (0, 0, nil) }
    let size = Int(status.st_size), start = max(0, size - tailByteCount)
    var bytes = [UInt8](repeating: 0, count: size - start)
    let count = pread(descriptor, &bytes, bytes.count, off_t(start))
    let read = bytes.prefix(max(0, count))
    guard let last = read.lastIndex(of: newline) else { return (start, size, nil) }
    let begin = read[..<last].lastIndex(of: newline).map { $0 + 1 } ?? 0
    return (start + last + 1, size, number(of: read[begin..<last]))
  }

  /// The number in a line, which begins with it.
  private static func number(of line: ArraySlice<UInt8>) -> Int? {
    let prefix = Array("{\"id\":".utf8)
    guard line.starts(with: prefix) else { return nil }
    return Int(String(decoding: line.dropFirst(prefix.count).prefix { (48...57).contains($0) }, as: UTF8.self))
  }

  private static func encode(_ change: ScanChange) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(change)) + [newline]
  }
}

extension ScanQueue {
  var changes: ChangeLog { ChangeLog(folder: folder) }

  /// The number of the newest change of a scan; 0 before the first.
  var lastChange: Int { changes.lastID }

  /// Adds what is missing in the log of changes because whoever made the change died before it was written. For a
  /// server, when it starts.
  func mendChanges() throws {
    var states: [Int: QueueEntry.EntryState] = [:]
    var follower = ChangeFollower(self, after: 0)
    while case let changes = follower.next(), !changes.isEmpty {
      for change in changes { states[change.scan] = change.state }
    }
    guard let last = states.keys.max() else { return }
    for number in try numbers() where states[number] != nil || number > last {
      guard let entry = try entryIfWhole(number), entry.state != states[number] else { continue }
      try locked { try changes.append(entry, before: states[number]) }
    }
  }
}
