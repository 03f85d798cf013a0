/// What this machine refused: one line that says what, where, and what can be done.
package enum HostError: SysExitError, Sendable, Equatable {
  /// A system call failed.
  case system(call: String, subject: String, errno: Errno)
  /// A shared region exists but may not be used: its owner, mode, type or size is not what Slipring makes.
  case regionRefused(name: String, reason: String)
  /// A shared region of that name exists already.
  case regionTaken(name: String)
  /// /dev/shm has no room for a region: bytes needed, bytes free.
  case noSharedMemory(name: String, needed: Int, free: Int)

  /// The exit code of sysexits.h that fits.
  package var sysExit: SysExit {
    switch self {
    case .system: .system
    case .regionTaken, .noSharedMemory: .cannotCreate
    case .regionRefused: .noPermission
    }
  }

  /// What happened, to what, and what can be done.
  package var description: String {
    switch self {
    case .system(let call, let subject, let errno):
      "\(subject): \(call): \(errno)"
    case .regionRefused(let name, let reason):
      "shared memory /dev/shm/\(name) is refused: \(reason); remove it if it is not in use"
    case .regionTaken(let name):
      "shared memory /dev/shm/\(name) exists already and is not ours; remove it if it is not in use"
    case .noSharedMemory(let name, let needed, let free):
      "shared memory /dev/shm/\(name) needs \(needed) bytes and \(free) are free; free or enlarge /dev/shm, "
        + "or ask for smaller rings"
    }
  }
}
