import Glibc
import Host

/// Removes what lies below a folder of the server's own: never anything elsewhere, and through no link.
struct OwnTree {
  /// Why something is left where it is.
  struct Refusal: Error, CustomStringConvertible {
    let description: String
  }

  /// The folder's absolute path.
  let root: String

  private static let depthMax = 64

  /// Removes the file or folder at an absolute path, with all that is in it; what is not there is removed.
  /// - Throws: `Refusal` where that lies elsewhere, a link is on the way, or the system refuses.
  func remove(_ path: String) throws(Refusal) {
    try atParent(of: path) { folder, name, device throws(Refusal) in
      try Self.remove(name, in: folder, device, path, depth: 0)
    }
  }

  /// Removes a folder where nothing is in it.
  func removeIfEmpty(_ path: String) throws(Refusal) {
    try atParent(of: path) { folder, name, _ in _ = unlinkat(folder, name, AT_REMOVEDIR) }
  }

  /// Throws where `remove` would throw before it begins.
  func check(_ path: String) throws(Refusal) { try atParent(of: path) { _, _, _ in } }

  private func atParent(
    of path: String, _ body: (_ folder: Int32, _ name: String, _ device: dev_t) throws(Refusal) -> Void
  ) throws(Refusal) {
    let parts = path.dropFirst(root.count + 1).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard path.hasPrefix(root + "/"), let last = parts.last, parts.allSatisfy({ !["", ".", ".."].contains($0) }) else {
      throw Refusal(description: "\(path) is left alone: it lies outside \(root)")
    }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    var (folder, status) = (open(root, flags), stat())
    defer { if folder >= 0 { close(folder) } }
    guard folder >= 0, fstat(folder, &status) == 0 else {
      throw Refusal(description: "\(path) is left alone: \(root) cannot be opened, or is a link: \(Self.reason)")
    }
    let device = status.st_dev
    for part in parts.dropLast() {
      let next = openat(folder, part, flags)
      if next < 0, errno == ENOENT { return }
      guard next >= 0 else {
        throw Refusal(description: "\(path) is left alone: \(part) on its way is a link, or no folder: \(Self.reason)")
      }
      close(folder)
      folder = next
    }
    try body(folder, last, device)
  }

  private static func remove(
    _ name: String, in folder: Int32, _ device: dev_t, _ path: String, depth: Int
  ) throws(Refusal) {
    var status = stat()
    guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return }
      throw Refusal(description: "\(path) cannot be removed: \(reason)")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      // A link goes as such.
      guard unlinkat(folder, name, 0) == 0 || errno == ENOENT else {
        throw Refusal(description: "\(path) cannot be removed: \(reason)")
      }
      return
    }
    guard depth < depthMax, status.st_dev == device else {
      throw Refusal(description: "\(path) is left alone: it is on another file system, or too deep")
    }
    let inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard inner >= 0 else { throw Refusal(description: "\(path) cannot be removed: \(reason)") }
    defer { close(inner) }
    let names: [String]
    do throws(HostError) { names = try Folder("/proc/self/fd/\(inner)").names() } catch {
      throw Refusal(description: "\(path) cannot be removed: \(error)")
    }
    for inside in names { try remove(inside, in: inner, device, "\(path)/\(inside)", depth: depth + 1) }
    guard unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
      throw Refusal(description: "\(path) cannot be removed: \(reason)")
    }
  }

  private static var reason: String { String(cString: strerror(errno)) }
}
