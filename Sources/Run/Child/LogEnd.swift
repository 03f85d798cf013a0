import Glibc

/// The end of a log.
package enum LogEnd {
  /// The end of the log at `path`, of `byteCount` bytes at the most, without a line that is cut; nil where there is
  /// none.
  package static func read(_ path: String, byteCount: Int) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    let start = max(0, Int(status.st_size) - byteCount)
    var bytes = [UInt8](repeating: 0, count: min(byteCount, Int(status.st_size)))
    let count = pread(descriptor, &bytes, bytes.count, off_t(start))
    var read = bytes[..<max(0, count)]
    if start > 0, let end = read.firstIndex(of: UInt8(ascii: "\n")) { read = read[(end + 1)...] }
    return String(decoding: read, as: UTF8.self)
  }
}
