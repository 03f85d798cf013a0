internal import CLinux
import Glibc
import Synchronization

/// A file that appears under its name complete or not at all.
///
/// ```
/// .slipring-<pid>-<number>.<machine>.tmp   O_EXCL, mode 0600   write … write
///      │ commit: fsync(file) → fchmod(usual mode, unless it is private) → rename → fsync(folder)
///      ▼
/// <name>                         replaced in one step if it was there
/// ```
/// A value that is neither committed nor abandoned is abandoned when it goes away.
package struct AtomicFile: ~Copyable {
  /// The name that the file will have.
  let path: String
  /// The name that it has until it is committed, in the same folder.
  package let temporaryPath: String
  /// Open for reading and writing; stays this value's own.
  package let descriptor: Int32

  private let usualMode: mode_t

  private static let serial = Atomic<UInt32>(0)
  private static let attemptsMax = 100

  /// Creates the temporary file; `isPrivate` keeps its mode 0600 for good.
  /// - Throws: `.cannotCreate` when the folder is missing or not writable, or when something other than a file has this
  ///   name.
  package init(path: String, isPrivate: Bool = false) throws(FileError) {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw .cannotCreate(path: path, reason: "the name is taken by something that is not a file; choose another name")
    }
    let folder = folderName(of: path)
    var (temporaryPath, descriptor) = ("", Int32(-1))
    for _ in 0..<Self.attemptsMax {
      let serial = Self.serial.wrappingAdd(1, ordering: .relaxed).newValue
      temporaryPath = "\(folder)/\(temporaryPrefix(ofProcess: getpid()))\(serial)\(temporarySuffix)"
      // 0666 makes the kernel work out the usual mode from the umask or the folder's default ACL, without touching the
      // process's umask.
      descriptor = open(temporaryPath, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
      if descriptor >= 0 || (errno != EEXIST && errno != EINTR) { break }
    }
    guard descriptor >= 0 else {
      let code = errno
      if Errno(rawValue: code).isNoSpace { throw .writing(path, code) }
      throw .cannotCreate(path: path, reason: Self.creationFailure(code, folder: folder))
    }
    guard fstat(descriptor, &status) == 0, fchmod(descriptor, 0o600) == 0 else {
      let code = errno
      close(descriptor)
      unlink(temporaryPath)
      throw .cannotCreate(path: path, reason: errnoText(code))
    }
    self.path = path
    self.temporaryPath = temporaryPath
    self.descriptor = descriptor
    usualMode = isPrivate ? 0o600 : status.st_mode & 0o777
  }

  /// Appends bytes.
  /// - Throws: `.full` or `.io`.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure(count == 0 ? EIO : errno) }
      rest = rest.dropFirst(count)
    }
  }

  /// Makes the bytes durable and gives the file its name. On failure nothing of it is left; only when the very last
  /// step, the folder's fsync, fails, the file is there and complete, and may be gone after a power cut.
  /// - Throws: `.full` or `.io`, or `.cannotCreate` when the name cannot be given.
  package consuming func commit() throws(FileError) {
    try makeDurable()
    try giveName()
    try makeNameDurable()
  }

  /// Has the system begin to write what it holds of the file, so that `makeDurable` has less to wait for.
  package func beginWriting() {
    // Only advice: what cannot be written now is met by the fsync.
    _ = clinux_begin_writing(descriptor)
  }

  /// Makes the bytes durable, and the mode the usual one.
  func makeDurable() throws(FileError) {
    // A failed fsync is never tried again: the retry would report success for pages that the kernel has dropped.
    guard fsync(descriptor) == 0, fchmod(descriptor, usualMode) == 0 else { throw failure(errno) }
  }

  /// Gives the file its name, which is not durable yet.
  func giveName() throws(FileError) {
    FaultPoint.renameBefore.reach()
    guard rename(temporaryPath, path) == 0 else {
      let code = errno
      if Errno(rawValue: code).isNoSpace { throw .writing(path, code) }
      throw .cannotCreate(path: path, reason: errnoText(code))
    }
    FaultPoint.renameAfter.reach()
  }

  /// Makes the names in the file's folder durable.
  func makeNameDurable() throws(FileError) {
    do throws(HostError) {
      try DurableFolder(folderName(of: path)).sync()
    } catch {
      throw .io(path: path, reason: errnoText(error))
    }
  }

  /// Removes the temporary file.
  package consuming func abandon() {}

  deinit {
    close(descriptor)
    unlink(temporaryPath)  // After a commit the name is gone already.
  }

  private func failure(_ code: Int32) -> FileError { .writing(path, code) }

  private static func creationFailure(_ code: Int32, folder: String) -> String {
    switch code {
    case ENOENT: "there is no folder \(folder); create it first"
    case ENOTDIR: "\(folder) is not a folder"
    case EACCES, EPERM, EROFS: "the folder \(folder) is not writable (\(errnoText(code)))"
    default: errnoText(code)
    }
  }
}

/// What the temporary names of a process begin with; of any process for nil.
private func temporaryPrefix(ofProcess pid: Int32?) -> String { pid.map { ".slipring-\($0)-" } ?? ".slipring-" }

/// What the temporary names of this machine end with: a folder may be shared with machines that have other processes.
private let temporarySuffix: String = {
  var name = [CChar](repeating: 0, count: 256)
  // A machine without a name has the hash of none.
  gethostname(&name, name.count - 1)
  let hash = name.prefix { $0 != 0 }.reduce(UInt32(2_166_136_261)) {
    ($0 ^ UInt32(UInt8(bitPattern: $1))) &* 16_777_619
  }
  return ".\(String(hash, radix: 16)).tmp"
}()

/// Removes the temporary files that the dead process `pid`, or for nil any process, left in a folder.
/// - Throws: `.io` where the folder cannot be read or a file not be removed.
package func removeTemporaryFiles(in folder: String, ofProcess pid: Int32?) throws(FileError) {
  try removeFiles(in: folder) { $0.hasPrefix(temporaryPrefix(ofProcess: pid)) && $0.hasSuffix(".tmp") }
}

/// Removes the temporary files that processes of this machine left in a folder and that run no more.
/// - Throws: as `removeTemporaryFiles`.
package func removeTemporaryFilesOfDeadProcesses(in folder: String) throws(FileError) {
  try removeFiles(in: folder) { name in
    guard name.hasPrefix(temporaryPrefix(ofProcess: nil)), name.hasSuffix(temporarySuffix),
      let pid = name.dropFirst(temporaryPrefix(ofProcess: nil).count).split(separator: "-").first.flatMap({ Int32($0) }
      ), pid > 0
    else { return false }
    return kill(pid, 0) != 0 && errno == ESRCH
  }
}

private func removeFiles(in folder: String, where isMeant: (String) -> Bool) throws(FileError) {
  let names: [String]
  do throws(HostError) {
    names = try Folder(folder).names()
  } catch {
    throw .io(path: folder, reason: errnoText(error))
  }
  for name in names where isMeant(name) {
    guard unlink("\(folder)/\(name)") == 0 || errno == ENOENT else {
      throw .io(path: "\(folder)/\(name)", reason: errnoText(errno))
    }
  }
}

/// Everything before the last slash; "." without one.
package func folderName(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Writes a whole file under a temporary name, makes it durable and gives it its name; `isPrivate` keeps its mode 0600.
/// - Throws: `.cannotCreate`, `.full` or `.io`; then nothing of it is left, and a file that had the name before is
///   untouched.
package func writeFileAtomically(path: String, bytes: [UInt8], isPrivate: Bool = false) throws(FileError) {
  let file = try AtomicFile(path: path, isPrivate: isPrivate)
  var failure: FileError?
  bytes.withUnsafeBytes { buffer in
    do throws(FileError) { try file.write(buffer) } catch { failure = error }
  }
  if let failure { throw failure }
  try file.commit()
}

/// Writes a text file in UTF-8 as `writeFileAtomically(path:bytes:)` does.
/// - Throws: `.cannotCreate`, `.full` or `.io`.
package func writeFileAtomically(path: String, text: String) throws(FileError) {
  try writeFileAtomically(path: path, bytes: Array(text.utf8))
}
