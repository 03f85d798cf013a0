internal import Glibc

/// A folder in /dev/shm that belongs to one user: nobody else can see what is in it, put something there, or take a
/// name in it. Anybody may write to /dev/shm itself, so a name there may be taken by whoever was faster.
package enum RegionFolder {
  static let root = "/dev/shm"

  /// Makes a folder that only this user may enter. Throws `.regionTaken` where the name exists.
  package static func create(_ name: String) throws(HostError) {
    let path = try path(of: name)
    guard mkdir(path, 0o700) == 0 else {
      throw errno == EEXIST ? .regionTaken(name: name) : .system(call: "mkdir", subject: path, errno: .current)
    }
    // Whatever the umask or the folder's default list of access says.
    guard chmod(path, 0o700) == 0 else { throw .system(call: "chmod", subject: path, errno: .current) }
  }

  /// Removes a folder; one that is not there, or has something in it, is left alone.
  package static func removeIfEmpty(_ name: String) { rmdir("\(root)/\(name)") }

  /// This user's folders whose names begin with `prefix`, sorted. What others put there is passed over.
  package static func names(prefix: String) throws(HostError) -> [String] {
    try Folder(root).names().filter { $0.hasPrefix(prefix) && isOwn($0, S_IFDIR) }.sorted()
  }

  /// Seconds since something was last created in a folder, or removed; nil where it is not there.
  package static func age(_ name: String) -> Int? {
    var status = stat()
    guard lstat("\(root)/\(name)", &status) == 0 else { return nil }
    return max(0, time(nil) - status.st_mtim.tv_sec)
  }

  /// Whether this user has such a thing in /dev/shm: a folder or a file.
  static func isOwn(_ name: String, _ type: mode_t) -> Bool {
    var status = stat()
    return lstat("\(root)/\(name)", &status) == 0 && status.st_uid == geteuid() && status.st_mode & S_IFMT == type
  }

  /// The path of a name with at most one folder.
  static func path(of name: String) throws(HostError) -> String {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let isPlain = parts.allSatisfy { 1..<255 ~= $0.utf8.count && $0.first != "." && !$0.utf8.contains(0) }
    guard isPlain, parts.count <= 2 else {
      throw .regionRefused(
        name: name, reason: "a name has 1 to 254 bytes, no dot in front, and one slash at most, behind its folder")
    }
    return "\(root)/\(name)"
  }
}
