import Glibc
import Host
import ScanPlan

// What people want of the queue, from any process of the server's user.
extension ScanQueue {
  private static let priorities = -1_000_000...1_000_000

  /// Adds a scan file.
  package func add(file: String, source: String, priority: Int) throws -> QueueEntry {
    guard Self.priorities.contains(priority) else {
      throw ScanFailure(.usage, "--priority \(priority) is beyond \(Self.priorities.upperBound)")
    }
    guard let stamp = FileStamp(path: file), access(file, R_OK) == 0 else {
      throw ScanFailure(.noInput, "cannot read \(file): \(String(cString: strerror(errno)))")
    }
    let name = file.split(separator: "/").last.map(String.init) ?? file
    return try add { number in
      var entry = QueueEntry(
        number: number, source: source, file: file, fileIdentity: stamp.words, sample: DropFolder.sample(name),
        state: .waiting, added: QueueEntry.now)
      entry.priority = priority
      return entry
    }
  }

  /// Takes a scan out of the queue; one that is being reconstructed is stopped by the server.
  package func remove(_ number: Int) throws {
    try update(number) { entry in
      guard entry.state != .finished else {
        throw ScanFailure(.usage, "scan \(number) is finished; its volume is in \(entry.output ?? "")")
      }
      (entry.state, entry.ended, entry.reason) = (.removed, QueueEntry.now, "removed by a person")
      return true
    }
  }

  /// Puts a scan that has no volume into the queue again, with a run of its own.
  package func retry(_ number: Int) throws {
    try update(number) { entry in
      guard entry.state == .failed || entry.state == .removed else {
        throw ScanFailure(
          .usage, "scan \(number) is \(entry.state.rawValue); failed and removed ones can be tried again")
      }
      if let cleared = entry.cleared, entry.file == nil {
        throw ScanFailure(.usage, "the frames of scan \(number) were removed by \(cleared.by.rawValue)")
      }
      (entry.retries, entry.cleared) = ((entry.retries ?? 0) + 1, nil)
      (entry.state, entry.attempts, entry.ended) = (.waiting, 0, nil)
      entry.run = "\(runFolder(of: number))-\(entry.retries ?? 0)"
      return true
    }
  }

  /// Gives a scan that waits another priority.
  package func move(_ number: Int, priority: Int) throws {
    guard Self.priorities.contains(priority) else {
      throw ScanFailure(.usage, "--priority \(priority) is beyond \(Self.priorities.upperBound)")
    }
    try update(number) { entry in
      guard !entry.isOver else {
        throw ScanFailure(.usage, "scan \(number) is \(entry.state.rawValue), and waits no more")
      }
      entry.priority = priority
      return true
    }
  }
}
