internal import Glibc

/// A lock with a name in /dev/shm that tells whether its owner lives: the kernel drops it when the owner's process
/// ends, however that happens.
package final class RegionLock {
  private let descriptor: Int32

  private init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  /// Creates the name, locked from its first moment: the file gets its name only after it was locked, so that nobody
  /// can find it unlocked.
  ///
  /// Throws `.regionTaken` if the name exists.
  package convenience init(name: String) throws(HostError) {
    // O_TMPFILE is a macro that Swift does not import: its own bit and O_DIRECTORY.
    let descriptor = Glibc.open("/dev/shm", 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", subject: "/dev/shm", errno: .current) }
    var call = "flock"
    var isMade = flock(descriptor, LOCK_EX | LOCK_NB) == 0
    if isMade { (call, isMade) = ("write", signLock(descriptor)) }
    if isMade {
      (call, isMade) = (
        "linkat", linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, "/dev/shm/\(name)", AT_SYMLINK_FOLLOW) == 0
      )
    }
    guard isMade else {
      let error = Errno.current
      close(descriptor)
      throw error.rawValue == EEXIST
        ? .regionTaken(name: name) : .system(call: call, subject: "/dev/shm/\(name)", errno: error)
    }
    self.init(descriptor: descriptor)
  }

  /// Takes the lock `name` of a process that died, so that what it stands for is removed by one process alone; nil
  /// where the name is not there or somebody holds it.
  package static func takeOver(name: String) throws(HostError) -> RegionLock? {
    guard let descriptor = try open(name) else { return nil }
    var status = stat()
    // A name that was removed in between is another process's work, and may be a new lock by now.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &status) == 0, status.st_nlink > 0,
      signLock(descriptor)
    else {
      close(descriptor)
      return nil
    }
    return RegionLock(descriptor: descriptor)
  }

  /// The lock ends; its name stays until `SharedRegion.unlink`.
  deinit { close(descriptor) }

  /// Whether some process holds the lock `name`. A name that is not there is not held.
  package static func isHeld(name: String) throws(HostError) -> Bool { try holder(name: name) != nil }

  /// Who holds the lock `name`, as a person would look for it: "process 1234". Nil for a lock that nobody holds. Waits
  /// up to two seconds where the process that it names is dead: a child of it may be about to run its own program.
  package static func holder(name: String) throws(HostError) -> String? {
    guard let descriptor = try open(name) else { return nil }
    defer { close(descriptor) }
    return lockHolder(descriptor)
  }

  private static func open(_ name: String) throws(HostError) -> Int32? {
    let descriptor = Glibc.open("/dev/shm/\(name)", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor < 0 else { return descriptor }
    if errno == ENOENT { return nil }
    throw .system(call: "open", subject: "/dev/shm/\(name)", errno: .current)
  }
}
