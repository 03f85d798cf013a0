import Glibc

/// A folder by its path: the names in it. What makes them durable is `DurableFolder`.
package struct Folder: Sendable {
  /// Where it is.
  let path: String

  /// The folder at `path`, which need not be there.
  package init(_ path: String) { self.path = path }

  /// The names in it but "." and "..", in no order. Throws `.system` of opendir(3) or readdir(3).
  package func names() throws(HostError) -> [String] {
    guard let stream = opendir(path) else { throw failure("opendir") }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      // Sound: d_name is a field of the entry, ended by a zero byte.
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    guard errno == 0 else { throw failure("readdir") }
    return names
  }

  private func failure(_ call: String) -> HostError { .system(call: call, subject: path, errno: .current) }
}
