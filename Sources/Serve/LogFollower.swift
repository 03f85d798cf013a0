import Glibc

/// Reads what a scan's processes say, line by line, as they say it.
package struct LogFollower {
  private let path: String
  private var offset = 0
  /// A line whose end has not come.
  private var rest: [UInt8] = []

  private static let (pieceByteCount, lineByteCountMax) = (64 << 10, 16 << 10)

  /// Follows the log at `path`, from its beginning; it need not be there yet.
  package init(path: String) { self.path = path }

  /// The lines that came since, of one piece of the log at the most.
  package mutating func next() -> [String] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: Self.pieceByteCount)
    let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
    guard count > 0 else { return [] }
    offset += count
    var lines = (rest + bytes[..<count]).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // The last one has no end yet; one that is too long is cut where it is.
    rest = Array(lines.removeLast())
    if rest.count > Self.lineByteCountMax {
      lines.append(rest[...])
      rest = []
    }
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }
}
