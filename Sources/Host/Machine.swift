internal import CLinux
internal import Glibc

/// Facts about this machine, asked anew on each use.
package enum Machine {
  /// The name that the machine has for itself; empty for none.
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    // A machine without a name has an empty one.
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Whether the kernel lets this process use a facility.
  package enum Availability: Sendable, Equatable {
    /// It was tried and works.
    case available
    /// It was tried and refused.
    case refused(Errno)
  }

  /// Nanoseconds of CLOCK_MONOTONIC.
  package static var monotonicNanoseconds: UInt64 { clock(CLOCK_MONOTONIC) }

  /// Nanoseconds that this process's threads have run, in program and system.
  package static var processorNanoseconds: UInt64 { clock(CLOCK_PROCESS_CPUTIME_ID) }

  /// Nanoseconds since 1970 of CLOCK_REALTIME.
  package static var realtimeNanoseconds: UInt64 { clock(CLOCK_REALTIME) }

  /// The same in seconds.
  package static var realtime: Double { Double(realtimeNanoseconds) / 1e9 }

  /// Bytes of memory that a new program may take without swapping (MemAvailable), nil where /proc does not tell.
  package static var memoryAvailable: Int? {
    field("MemAvailable:", of: "/proc/meminfo").flatMap { Int($0.prefix { $0.isNumber }) }.map { $0 * 1024 }
  }

  /// The most memory that this process had resident since it began its program, shared memory that it touched included
  /// (VmHWM); nil where /proc does not tell. Unlike getrusage's, without the peak of the process that started it.
  package static var residentPeak: Int? {
    field("VmHWM:", of: "/proc/self/status").flatMap { Int($0.prefix { $0.isNumber }) }.map { $0 * 1024 }
  }

  /// Bytes that this process has read from files, pipes and sockets since it began (rchar of /proc/self/io), not those
  /// of mapped memory; nil where /proc does not tell.
  package static var bytesRead: Int? { field("rchar:", of: "/proc/self/io").flatMap { Int($0) } }

  /// Free bytes of /dev/shm, nil where it is missing or has no limit.
  package static var sharedMemoryFree: Int? { fileSystem("/dev/shm").flatMap { $0.total > 0 ? $0.free : nil } }

  /// The size of /dev/shm in bytes, nil where it is missing or has no limit.
  package static var sharedMemoryTotal: Int? { fileSystem("/dev/shm").flatMap { $0.total > 0 ? $0.total : nil } }

  /// Bytes that this process may lock in memory (RLIMIT_MEMLOCK, soft); `Int.max` if unlimited.
  package static var lockedMemoryLimit: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
  }

  /// Files that this process may have open (RLIMIT_NOFILE, soft), and the most that it may ask for itself (hard).
  package static var descriptorLimit: (soft: Int, hard: Int) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return (0, 0) }
    return (Int(clamping: limit.rlim_cur), Int(clamping: limit.rlim_max))
  }

  /// Raises the number of files that this process may have open, and its children, to the most that it may ask for.
  /// Where that is refused it stays as it is.
  package static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// What this start of this machine has to itself; "unknown" where the system does not tell.
  package static var startID: String { field("", of: "/proc/sys/kernel/random/boot_id") ?? "unknown" }

  /// The kernel's release, such as "6.1.0-18-amd64".
  package static var kernelRelease: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "unknown" }
    // Sound: the field is an array of characters inside `name`, ended by a zero byte.
    return withUnsafePointer(to: &name.release) {
      String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
    }
  }

  /// The user that this process runs as, by name where there is one.
  package static var userName: String {
    let id = geteuid()
    return getpwuid(id).map { String(cString: $0.pointee.pw_name) } ?? "\(id)"
  }

  /// The processor's name, such as "AMD EPYC 9575F".
  package static var processorName: String { field("model name", of: "/proc/cpuinfo") ?? "unknown" }

  /// Bytes that this user may still write to the file system that holds `path`; `Int.max` where it does not tell.
  package static func diskFree(_ path: String) throws(HostError) -> Int {
    guard let system = fileSystem(path) else { throw .system(call: "statvfs", subject: path, errno: .current) }
    return system.total > 0 ? system.free : .max
  }

  /// Whether the file system that holds `folder` has so many bytes left for this user. True where it does not tell:
  /// then writing them says so.
  package static func hasRoom(for byteCount: Int, in folder: String) -> Bool {
    var status = statvfs()
    guard statvfs(folder, &status) == 0, status.f_blocks > 0 else { return true }
    let unit = max(1, Int(status.f_frsize))
    return Int(geteuid() == 0 ? status.f_bfree : status.f_bavail) >= (byteCount + unit - 1) / unit
  }

  /// Whether io_uring works here: a small queue is set up and closed.
  package static var ioUring: Availability {
    var queue: OpaquePointer?
    let error = clinux_uring_open(&queue, 4)
    guard error == 0, let queue else { return .refused(Errno(rawValue: -error)) }
    clinux_uring_close(queue)
    return .available
  }

  /// Whether files in `folder` can be read and written past the system's cache (O_DIRECT): tried with a file that does
  /// not stay. Throws what kept it from being made.
  package static func directIO(in folder: String) throws(FileError) -> Availability {
    let file = try AtomicFile(path: folder + "/.slipring-probe")
    return fcntl(file.descriptor, F_SETFL, clinux_direct_flag()) == 0 ? .available : .refused(.current)
  }

  private static func clock(_ id: clockid_t) -> UInt64 {
    var time = timespec()
    let result = clock_gettime(id, &time)
    precondition(result == 0, "clock_gettime: \(Errno.current)")
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private static func fileSystem(_ path: String) -> (free: Int, total: Int)? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    let unit = Int(status.f_frsize)
    return (free: Int(status.f_bavail) * unit, total: Int(status.f_blocks) * unit)
  }

  /// The rest of the first line of a /proc file that begins with `key`, without blanks and colon.
  private static func field(_ key: String, of path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 1024)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = line.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
      guard text.hasPrefix(key) else { continue }
      let value = text.dropFirst(key.count).drop { $0 == ":" || $0.isWhitespace }
      return String(value.reversed().drop { $0.isWhitespace }.reversed())
    }
    return nil
  }
}
