import Glibc

/// Files that somebody may still be writing: one is settled when its size and time have stayed as they are for a
/// moment. Many are looked at together, so that each waits for itself alone.
struct SettlingFiles {
  /// How a file is.
  enum Condition: Equatable {
    /// It is not there, or is no file.
    case missing
    /// It was written to a moment ago.
    case settling
    /// It stays as it is, since the time `modified` in nanoseconds since 1970.
    case settled(modified: Int)
  }

  private struct FileState: Equatable {
    let inode: UInt64
    let byteCount: Int
    let modified: Int
  }

  private struct Sight {
    let state: FileState
    /// When it was seen like this for the first time, and when at all.
    let (since, first): (ContinuousClock.Instant, ContinuousClock.Instant)
  }

  private var seen: [String: Sight] = [:]

  /// How long a file must stay as it is.
  private static let settled: Duration = .milliseconds(200)
  /// A file that is not complete so long after it was written to for the last time will hardly be, nor one that is
  /// written to for longer than a detector takes for an image.
  private static let (patience, patienceMax) = (Duration.seconds(10), Duration.seconds(60))
  /// Files that are looked at together.
  static let lengthMax = 256

  /// Looks at files, and forgets all others.
  mutating func look(at paths: some Sequence<String>) {
    var now: [String: Sight] = [:]
    for path in paths.prefix(Self.lengthMax) {
      guard let state = Self.state(path) else { continue }
      let before = seen[path]
      if let before, before.state == state {
        now[path] = before
      } else {
        let isSame = before?.state.inode == state.inode
        now[path] = Sight(state: state, since: .now, first: isSame ? before?.first ?? .now : .now)
      }
    }
    seen = now
  }

  /// How a file is that was looked at.
  func condition(of path: String) -> Condition {
    guard let sight = seen[path] else { return .missing }
    guard ContinuousClock.now - sight.since >= Self.settled else { return .settling }
    return .settled(modified: sight.state.modified)
  }

  /// Whether a file that is settled and not complete will hardly be.
  func isHopeless(_ path: String) -> Bool {
    guard let sight = seen[path] else { return true }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    // A clock elsewhere may be ahead of this one.
    let untouched = Duration.seconds(max(0, now.tv_sec - sight.state.modified / 1_000_000_000))
    let age = ContinuousClock.now - sight.since
    return max(age, untouched) >= Self.patience || ContinuousClock.now - sight.first >= Self.patienceMax
  }

  private static func state(_ path: String) -> FileState? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return FileState(
      inode: UInt64(status.st_ino), byteCount: status.st_size, modified: modificationTime(status))
  }
}

/// When a file was written to for the last time, in nanoseconds since 1970.
func modificationTime(_ status: stat) -> Int {
  let (nanoseconds, overflow) = status.st_mtim.tv_sec.multipliedReportingOverflow(by: 1_000_000_000)
  return overflow ? Int.max : nanoseconds + status.st_mtim.tv_nsec
}
