import Glibc

/// Reads the changes of a queue as they are made, from any process of the server's user.
package struct ChangeFollower {
  private let log: ChangeLog
  /// The number of the last change that was given.
  package private(set) var lastID: Int
  /// The file that is read, by its inode, and how far.
  private var (file, offset) = (ino_t?.none, 0)

  private static let pieceByteCountMax = 1 << 20

  /// Follows the changes behind `id`; nil for those that come from now on.
  package init(_ queue: ScanQueue, after id: Int? = nil) {
    log = queue.changes
    lastID = id ?? queue.lastChange
  }

  /// What came since; with the lines of one piece of the log at the most.
  package mutating func next() -> [ScanChange] {
    let current = Self.open(log.path)
    defer { if let current { close(current.descriptor) } }
    if file == nil || file != current?.inode, let earlier = Self.open(log.earlierPath) {
      // The rest of what was the log before, and all of it where nothing was read yet.
      defer { close(earlier.descriptor) }
      if file != earlier.inode { (file, offset) = (earlier.inode, 0) }
      let rest = read(earlier.descriptor)
      guard rest.isEmpty else { return rest }
    }
    guard let current else { return [] }
    if file != current.inode { (file, offset) = (current.inode, 0) }
    return read(current.descriptor)
  }

  /// Takes whole lines only: who writes may be in the middle of one.
  private mutating func read(_ descriptor: Int32) -> [ScanChange] {
    var status = stat()
    // Most of the time nothing came.
    guard fstat(descriptor, &status) == 0, Int(status.st_size) > offset else { return [] }
    var bytes = [UInt8](repeating: 0, count: Self.pieceByteCountMax)
    while true {
      let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
      guard count > 0, let end = bytes[..<count].lastIndex(of: ChangeLog.newline) else { return [] }
      offset += end + 1
      let changes = ChangeLog.changes(in: bytes[...end], after: lastID)
      guard let last = changes.last else { continue }
      lastID = last.id
      return changes
    }
  }

  private static func open(_ path: String) -> (descriptor: Int32, inode: ino_t)? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      close(descriptor)
      return nil
    }
    return (descriptor, status.st_ino)
  }
}
