internal import Glibc

/// A lock with a name in /dev/shm that tells whether its owner lives: the kernel drops it when the owner's process ends, however that
/// happens.
public final class RegionLock {
  /// The name in /dev/shm.
  public let name: String
  private let descriptor: Int32

  /// Creates the name, locked from its first moment: the file gets its name only after it was locked, so that nobody can find it unlocked.
  ///
  /// Throws `.regionTaken` if the name exists.
  public init(name: String) throws(HostError) {
    // O_TMPFILE is a macro that Swift does not import: its own bit and O_DIRECTORY.
    let descriptor = open("/dev/shm", 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", subject: "/dev/shm", errno: .current) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0,
      linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, "/dev/shm/\(name)", AT_SYMLINK_FOLLOW) == 0
    else {
      let error = Errno.current
      close(descriptor)
      throw error.rawValue == EEXIST ? .regionTaken(name: name) : .system(call: "linkat", subject: "/dev/shm/\(name)", errno: error)
    }
    self.name = name
    self.descriptor = descriptor
  }

  /// The lock ends; its name stays until `SharedRegion.unlink`.
  deinit { close(descriptor) }

  /// Whether some process holds the lock `name`. A name that is not there is not held.
  public static func isHeld(name: String) throws(HostError) -> Bool {
    let descriptor = open("/dev/shm/\(name)", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      if errno == ENOENT { return false }
      throw .system(call: "open", subject: "/dev/shm/\(name)", errno: .current)
    }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0
  }
}
