import Glibc

/// A folder that survives the machine's end, with the names in it: whoever made, renamed or removed something there
/// syncs it.
package struct DurableFolder: Sendable {
  /// Who may use a folder that is made.
  package enum Access: Sendable {
    /// This user alone, whatever the umask says.
    case owner
    /// Whoever the umask leaves, as with the folders of other programs.
    case usual

    fileprivate var mode: mode_t { self == .owner ? 0o700 : 0o777 }
  }

  private let path: String

  /// The folder at `path`, which is there.
  package init(_ path: String) { self.path = path }

  /// Makes the folder at the absolute `path` for `access`, and those above it that are missing with the usual one, each
  /// with its name durable in the folder above it. A folder that is there stays as it is. Throws `.system` of mkdir(2),
  /// open(2) or fsync(2), which names the folder that it failed for.
  package static func make(_ path: String, for access: Access) throws(HostError) {
    let components = path.split(separator: "/")
    var folder = ""
    for (number, component) in components.enumerated() {
      let parent = folder.isEmpty ? "/" : folder
      folder += "/\(component)"
      if mkdir(folder, number == components.count - 1 ? access.mode : Access.usual.mode) == 0 {
        try DurableFolder(parent).sync(orInside: folder)
        continue
      }
      let errno = Errno.current
      var status = stat()
      guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw .system(call: "mkdir", subject: folder, errno: errno)
      }
    }
  }

  /// Makes durable what was created, renamed and removed in it. Throws `.system` of open(2) or fsync(2).
  package func sync() throws(HostError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(call: "open", subject: path, errno: .current) }
    defer { close(descriptor) }
    try Self.sync(descriptor, path)
  }

  /// The same of a folder that is open.
  package static func sync(_ descriptor: Int32, _ path: String) throws(HostError) {
    // A file system that has no such thing for folders says that the call is invalid.
    guard fsync(descriptor) != 0, errno != EINVAL else { return }
    throw .system(call: "fsync", subject: path, errno: .current)
  }

  /// Syncs the folder, or where it may be written and not read, `new` in it: the file systems of Linux then write its
  /// name too.
  private func sync(orInside new: String) throws(HostError) {
    do throws(HostError) { try sync() } catch .system("open", _, Errno(rawValue: EACCES)) {
      try DurableFolder(new).sync()
    }
  }
}
