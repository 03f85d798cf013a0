internal import Glibc

// What a lock file and a region's lock have in common: flock(2) on a file that says whose lock it is.

/// A child of a process that died may hold its descriptors until it runs its own program: so long its lock looks held.
private let childLimit: Duration = .seconds(2)
/// Who has just taken a lock says so within this time.
private let signLimit: Duration = .milliseconds(200)

/// Writes whose lock it is, in one call: whoever reads meanwhile finds the owner before or this one.
func signLock(_ descriptor: Int32) -> Bool {
  let text = "\(getpid())\n"
  let count = text.utf8.count
  return pwrite(descriptor, text, count, 0) == count && ftruncate(descriptor, off_t(count)) == 0
}

/// Who holds the lock that is open here, as a person would look for it: "process 1234". Nil for a lock that nobody
/// holds. Waits a moment where the process that it names is dead.
func lockHolder(_ descriptor: Int32) -> String? {
  let deadline = Deadline(after: childLimit), unsigned = Deadline(after: signLimit)
  while flock(descriptor, LOCK_SH | LOCK_NB) != 0 {
    guard errno == EWOULDBLOCK || errno == EINTR else { return nil }
    var digits = [UInt8](repeating: 0, count: 16)
    let count = pread(descriptor, &digits, digits.count, 0)
    let line = digits.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }
    if let pid = Int32(String(decoding: line, as: UTF8.self)) {
      if deadline.hasPassed || isAlive(pid) { return "process \(pid)" }
    } else if unsigned.hasPassed {
      return "a process that it does not name"
    }
    usleep(5000)
  }
  return nil
}

/// Whether a process is there that can still do something: one that nobody has reaped yet cannot.
private func isAlive(_ pid: Int32) -> Bool {
  guard kill(pid, 0) == 0 || errno == EPERM else { return false }
  let descriptor = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return errno != ENOENT }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: 512)
  let count = read(descriptor, &bytes, bytes.count)
  // The name before the state may hold anything, a bracket too.
  guard count > 0, let bracket = bytes[..<count].lastIndex(of: UInt8(ascii: ")")), bracket + 2 < count else {
    return count != 0
  }
  return ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(bytes[bracket + 2])
}

/// A lock on a file that stays where it is: it tells whether its owner lives, for the kernel drops it when the owner's
/// process ends, however that happens.
package final class LockFile {
  private let descriptor: Int32

  /// Takes the lock at `path`, and makes the file where there is none; nil where somebody holds it. A file system that
  /// has no locks keeps nobody out.
  package init?(path: String) throws(HostError) {
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", subject: path, errno: .current) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
      close(descriptor)
      return nil
    }
    // A disk that is full does not keep a run from going on; the lock is held without a name.
    _ = signLock(descriptor)
  }

  /// The lock ends; the file stays.
  deinit { close(descriptor) }

  /// Who holds the lock at `path`, as `RegionLock.holder`; nobody where there is no file.
  package static func holder(path: String) throws(HostError) -> String? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw .system(call: "open", subject: path, errno: .current)
    }
    defer { close(descriptor) }
    return lockHolder(descriptor)
  }
}
