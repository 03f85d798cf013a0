internal import CLinux
internal import Glibc

/// How a process ended.
package enum ExitStatus: Sendable, Equatable {
  /// It called exit with this code.
  case exited(Int32)
  /// A signal ended it.
  case killed(signal: Int32)

  /// What happened to the process, to follow its name in a sentence.
  package var words: String {
    switch self {
    case .exited(let code): "exited with \(code)"
    case .killed(let signal): "was killed by signal \(signal)"
    }
  }
}

/// A process that this one started, held by a descriptor: a recycled process id can never be mistaken for it.
///
/// It runs in its own process group with each signal at its default. Use from one thread at a time.
package final class ChildProcess {
  /// The process id, for messages.
  package let pid: Int32
  /// The descriptor that becomes readable when the process ends; closed with this object.
  package let pidfd: Int32
  private var status: ExitStatus?

  /// Starts `executable` (a path, not searched for). `arguments` do not repeat the executable, whose name is its path,
  /// or for this very program (`OwnProgram`) the path that people know; `environment` of nil is this process's own;
  /// `standardInput`, `standardOutput` and `standardError` become the child's descriptors 0, 1 and 2. `blockedSignals`
  /// stay blocked in the child until it has a descriptor for them, so that none that comes earlier ends it.
  package init(
    executable: String, arguments: [String], environment: [String: String]? = nil, standardInput: Int32? = nil,
    standardOutput: Int32? = nil, standardError: Int32? = nil, blockedSignals: [Int32] = []
  ) throws(HostError) {
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_init(&actions)
    defer {
      posix_spawnattr_destroy(&attributes)
      posix_spawn_file_actions_destroy(&actions)
    }
    Self.setSignals(&attributes, blocked: blockedSignals)
    if let standardInput { posix_spawn_file_actions_adddup2(&actions, standardInput, 0) }
    if let standardOutput { posix_spawn_file_actions_adddup2(&actions, standardOutput, 1) }
    if let standardError { posix_spawn_file_actions_adddup2(&actions, standardError, 2) }
    // Libraries open files without O_CLOEXEC: a child that had such a descriptor would hold the file's lock as long as
    // it lives.
    clinux_spawn_close_from(&actions, 3)

    var pid: pid_t = 0
    let strings = environment.map { $0.map { "\($0.key)=\($0.value)" }.sorted() }
    let name = executable == OwnProgram.executable ? OwnProgram.file : executable
    let error = withCStrings([name] + arguments) { argumentVector in
      guard let strings else { return posix_spawn(&pid, executable, &actions, &attributes, argumentVector, environ) }
      return withCStrings(strings) { posix_spawn(&pid, executable, &actions, &attributes, argumentVector, $0) }
    }
    guard error == 0 else { throw .system(call: "posix_spawn", subject: executable, errno: Errno(rawValue: error)) }
    let descriptor = clinux_pidfd_open(pid)
    guard descriptor >= 0 else {
      // Not reaped yet, so the id is still the child's.
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
      throw .system(call: "pidfd_open", subject: executable, errno: Errno(rawValue: -descriptor))
    }
    self.pid = pid
    pidfd = descriptor
  }

  deinit { close(pidfd) }

  /// Sends a signal. A process that has ended already is no error.
  package func signal(_ number: Int32) throws(HostError) {
    let error = clinux_pidfd_send_signal(pidfd, number)
    guard error == 0 || error == -ESRCH else {
      throw .system(call: "pidfd_send_signal", subject: "process \(pid)", errno: Errno(rawValue: -error))
    }
  }

  /// Kills the process, and what it has started that is still in its group; a process that has ended is no error.
  package func killGroup() throws(HostError) {
    // Not reaped yet, so the id is still that of its group.
    guard status == nil, kill(-pid, SIGKILL) != 0, errno != ESRCH else { return }
    throw .system(call: "kill", subject: "the group of process \(pid)", errno: .current)
  }

  /// How the process ended, or nil while it runs; what it leaves in its group is killed.
  package func reapGroup() throws(HostError) -> ExitStatus? {
    guard try !Poll.wait(readable: [pidfd], timeout: .zero).isEmpty else { return nil }
    try killGroup()
    return try reap()
  }

  /// How the process ended, or nil while it runs. The first answer removes the process from the system's table.
  package func reap() throws(HostError) -> ExitStatus? {
    if let status { return status }
    var code: Int32 = 0
    let result = clinux_pidfd_reap(pidfd, &code)
    guard result >= 0 else { throw .system(call: "waitid", subject: "process \(pid)", errno: Errno(rawValue: -result)) }
    status = result == 0 ? nil : result == 1 ? .exited(code) : .killed(signal: code)
    return status
  }

  /// Waits for the end of the process and reaps it; nil if it still runs after `timeout`.
  package func waitForExit(timeout: Duration) throws(HostError) -> ExitStatus? {
    if let status { return status }
    _ = try Poll.wait(readable: [pidfd], timeout: timeout)
    return try reap()
  }

  /// Has the kernel kill this process when the thread that started it ends. To be called first thing in a child: throws
  /// `.system` with ESRCH if the parent is gone already.
  package static func dieWithParent(expectedParent: Int32) throws(HostError) {
    let error = clinux_parent_death_signal(SIGKILL)
    guard error == 0 else {
      throw .system(call: "prctl", subject: "parent-death signal", errno: Errno(rawValue: -error))
    }
    guard getppid() == expectedParent else {
      throw .system(call: "getppid", subject: "parent process \(expectedParent)", errno: Errno(rawValue: ESRCH))
    }
  }

  /// Ends this process at once, as by a hand from outside: whoever watches it starts it again.
  package static func die() -> Never {
    while true {
      kill(getpid(), SIGKILL)
      usleep(1000)
    }
  }

  /// Replaces this process's program by `executable`, with each signal at its default (execv). What `dieWithParent`
  /// asked for holds on. Throws where that cannot be.
  package static func become(_ executable: String, _ arguments: [String] = []) throws(HostError) -> Never {
    for number in [SIGPIPE, SIGXFSZ] { Glibc.signal(number, SIG_DFL) }
    _ = withCStrings([executable] + arguments) { execv(executable, $0) }
    throw .system(call: "execv", subject: executable, errno: .current)
  }

  private static func setSignals(_ attributes: inout posix_spawnattr_t, blocked signals: [Int32]) {
    var blocked = sigset_t()
    var all = sigset_t()
    sigemptyset(&blocked)
    for signal in signals { sigaddset(&blocked, signal) }
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &blocked)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
  }
}

/// Calls `body` with a null-terminated array of C strings that lives for the call.
private func withCStrings(
  _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32
) -> Int32 {
  var pointers = strings.map { strdup($0) } + [nil]
  defer { for pointer in pointers { free(pointer) } }
  return pointers.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.map(body) ?? EINVAL }
}
