internal import CLinux
internal import Glibc
package import Host

/// What the devices on real files share: everything but the batches.
package class FileDevice {
  /// The folder's path.
  package let folder: String
  private let folderDescriptor: Int32
  private var openFiles: Set<JournalFile> = []
  /// Whether the file system has direct input and output. Where it refuses it, all goes through the system's cache:
  /// writes are as durable, for every batch ends with a sync, and reads ask the system to forget its copy first.
  private var isDirect: Bool

  /// Opens the folder, after making it and making its name durable where it is not there. Its parent must exist.
  /// Without `makes` nothing is made: a folder that is not there has no files. `isDirect` is false for tests of file
  /// systems without direct input and output.
  init(opening folder: String, isDirect: Bool, makes: Bool = true) throws(HostError) {
    self.folder = folder
    self.isDirect = isDirect
    if !makes {
      // It is looked for below.
    } else if mkdir(folder, 0o700) == 0 {
      try DurableFolder(folder + "/..").sync()
    } else if errno != EEXIST {
      throw .system(call: "mkdir", subject: folder, errno: .current)
    }
    folderDescriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard folderDescriptor >= 0 || !makes && errno == ENOENT else {
      throw .system(call: "open", subject: folder, errno: .current)
    }
  }

  deinit {
    for file in openFiles { Glibc.close(file.id) }
    if isThere { Glibc.close(folderDescriptor) }
  }

  /// Whether the folder was there when it was opened.
  final var isThere: Bool { folderDescriptor >= 0 }

  /// The names in the folder, sorted.
  package func names() throws(HostError) -> [String] { isThere ? try Folder(folder).names().sorted() : [] }

  /// Takes the folder's lock, on the folder's own descriptor.
  package func lockFolder(wait: Duration) throws(HostError) -> Bool { try lock(folderDescriptor, folder, wait: wait) }

  /// Gives the folder's lock back.
  package func unlockFolder() { flock(folderDescriptor, LOCK_UN) }

  /// Makes a file: O_EXCL, 0600, posix_fallocate, flock.
  package func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile {
    precondition(byteCount > 0 && byteCount % 4096 == 0, "\(name) of \(byteCount) B is not whole blocks")
    // The file system would take what there is before it says that this is not enough, and give it back; meanwhile
    // others would find it full.
    guard Machine.hasRoom(for: byteCount, in: folder) else {
      throw .system(call: "posix_fallocate", subject: path(name), errno: Errno(rawValue: ENOSPC))
    }
    let descriptor = try openFile(name, O_RDWR | O_CREAT | O_EXCL)
    do throws(HostError) {
      guard fchmod(descriptor, 0o600) == 0 else { throw failure("fchmod", path(name)) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw failure("flock", path(name)) }
      try allocate(descriptor, name, byteCount)
    } catch {
      Glibc.close(descriptor)
      unlinkat(folderDescriptor, name, 0)
      throw error
    }
    return remember(descriptor)
  }

  /// Opens a regular file, with O_DIRECT where there is such a thing; never through a symbolic link.
  package func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile {
    let descriptor = try openFile(name, (forWriting ? O_RDWR : O_RDONLY) | O_NONBLOCK)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      Glibc.close(descriptor)
      throw .system(call: "fstat", subject: path(name), errno: Errno(rawValue: EINVAL))
    }
    return remember(descriptor)
  }

  /// Takes the lock of the file's own descriptor.
  package func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool {
    try lock(file.id, folder, wait: wait)
  }

  /// Closes the file.
  package func close(_ file: JournalFile) {
    precondition(openFiles.remove(file) != nil, "file \(file.id) is not open")
    Glibc.close(file.id)
  }

  /// The file's size.
  package func byteCount(of file: JournalFile) throws(HostError) -> Int {
    var status = stat()
    guard fstat(file.id, &status) == 0 else { throw failure("fstat", folder) }
    return Int(status.st_size)
  }

  /// Reads with O_DIRECT, or after the system has forgotten what it has of the bytes: of those that were not synced it
  /// keeps its copy.
  package func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError)
    -> Int
  {
    requireBlocks(file, bytes.count, at: offset)
    // Advice: what cannot be forgotten is read from memory.
    if !isDirect { posix_fadvise(file.id, off_t(offset), off_t(bytes.count), POSIX_FADV_DONTNEED) }
    var done = 0
    // Each turn reads something, ends, or is an interruption.
    for _ in 0..<Self.retryLimit {
      if done == bytes.count { break }
      let count = pread(file.id, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
      if count < 0, errno != EINTR { throw failure("pread", folder) }
      if count > 0 { done += count }
      // Near the end of a file whose size is no multiple of a block a read is short; the next one would not be aligned.
      if count == 0 || count > 0 && count % 4096 != 0 { break }
    }
    return done
  }

  /// Writes with O_DIRECT, where there is such a thing.
  package func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
    requireBlocks(file, bytes.count, at: offset)
    var done = 0
    for _ in 0..<Self.retryLimit {
      if done == bytes.count { break }
      let count = pwrite(file.id, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
      if count < 0, errno != EINTR { throw failure("pwrite", folder) }
      if count > 0 { done += count }
    }
    guard done == bytes.count else { throw .system(call: "pwrite", subject: folder, errno: Errno(rawValue: EIO)) }
  }

  /// fsync(2).
  package func sync(_ file: JournalFile) throws(HostError) {
    requireOpen(file)
    guard fsync(file.id) == 0 else { throw failure("fsync", folder) }
  }

  /// renameat(2).
  package func rename(_ name: String, to newName: String) throws(HostError) {
    guard renameat(folderDescriptor, name, folderDescriptor, newName) == 0 else {
      throw failure("renameat", path(name))
    }
  }

  /// renameat2(2) with RENAME_EXCHANGE.
  package func exchange(_ name: String, with other: String) throws(HostError) {
    let result = clinux_exchange(folderDescriptor, name, other)
    guard result == 0 else {
      throw .system(call: "renameat2", subject: path(name), errno: Errno(rawValue: -result))
    }
  }

  /// The number of a file that was closed may be another file's by now.
  final func requireOpen(_ file: JournalFile) {
    precondition(openFiles.contains(file), "file \(file.id) is not open in \(folder)")
  }

  private func requireBlocks(_ file: JournalFile, _ byteCount: Int, at offset: Int) {
    requireOpen(file)
    precondition(byteCount % 4096 == 0 && offset % 4096 == 0, "\(byteCount) B at \(offset) are not whole blocks")
  }

  /// unlinkat(2).
  package func unlink(_ name: String) throws(HostError) {
    guard unlinkat(folderDescriptor, name, 0) == 0 else { throw failure("unlinkat", path(name)) }
  }

  /// fsync(2) of the folder.
  package func syncFolder() throws(HostError) {
    try DurableFolder.sync(folderDescriptor, folder)
  }
}

extension FileDevice {
  /// Opens a file past the system's cache, or through it where the file system has no direct input and output: it then
  /// says that the call is invalid, some after they made the file.
  private func openFile(_ name: String, _ flags: Int32) throws(HostError) -> Int32 {
    guard isThere else { throw .system(call: "openat", subject: path(name), errno: Errno(rawValue: ENOENT)) }
    let all = flags | O_CLOEXEC | O_NOFOLLOW
    if isDirect {
      let descriptor = openat(folderDescriptor, name, all | clinux_direct_flag(), 0o600)
      if descriptor >= 0 { return descriptor }
      guard errno == EINVAL else { throw failure("openat", path(name)) }
      // A file that had been there before is EEXIST: this one is ours.
      if flags & O_CREAT != 0 { unlinkat(folderDescriptor, name, 0) }
    }
    let descriptor = openat(folderDescriptor, name, all, 0o600)
    guard descriptor >= 0 else { throw failure("openat", path(name)) }
    isDirect = false
    return descriptor
  }

  /// Has the file system allocate all blocks of a new file.
  private func allocate(_ descriptor: Int32, _ name: String, _ byteCount: Int) throws(HostError) {
    var error = EINTR
    for _ in 0..<Self.retryLimit {
      error = posix_fallocate(descriptor, 0, byteCount)
      if error != EINTR { break }
    }
    // A file system that cannot gets zeros; the C library's own, a byte a block, are not for O_DIRECT.
    if error == EINVAL || error == EOPNOTSUPP { error = Self.writeZeros(descriptor, byteCount) }
    guard error == 0 else {
      throw .system(call: "posix_fallocate", subject: path(name), errno: Errno(rawValue: error))
    }
  }

  /// Fills a file with zeros; 0 or errno.
  private static func writeZeros(_ descriptor: Int32, _ byteCount: Int) -> Int32 {
    let zeros = AlignedMemory(byteCount: min(byteCount, 1 << 20))
    zeros.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    var done = 0
    for _ in 0..<retryLimit {
      if done == byteCount { return 0 }
      let count = pwrite(descriptor, zeros.bytes.baseAddress, min(zeros.bytes.count, byteCount - done), off_t(done))
      if count < 0, errno != EINTR { return errno }
      if count > 0 { done += count }
    }
    return done == byteCount ? 0 : EIO
  }

  /// A read or a write moves on by at least a block, or is interrupted, at most this often.
  private static var retryLimit: Int { 1 << 16 }

  private func path(_ name: String) -> String { "\(folder)/\(name)" }

  private func remember(_ descriptor: Int32) -> JournalFile {
    let file = JournalFile(id: descriptor)
    openFiles.insert(file)
    return file
  }

  private func lock(_ descriptor: Int32, _ subject: String, wait: Duration) throws(HostError) -> Bool {
    let deadline = Deadline(after: wait)
    while true {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
      guard errno == EWOULDBLOCK || errno == EINTR else { throw failure("flock", subject) }
      if deadline.hasPassed { return false }
      usleep(500)
    }
  }

  private func failure(_ call: String, _ subject: String) -> HostError {
    .system(call: call, subject: subject, errno: .current)
  }
}
