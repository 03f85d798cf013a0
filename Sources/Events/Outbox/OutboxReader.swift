import Glibc
import Host

/// Reads an outbox line by line, while a run adds to it. What it gives is durable: an event that was sent is never
/// another one after the machine has died. Use from one thread at a time.
final class OutboxReader {
  /// What a line holds.
  enum Line {
    case record(EventRecord)
    /// Nothing that a run writes: the disk, or somebody, changed it.
    case damaged
  }

  private let path: String
  private let descriptor: Int32
  private let isDurable: Bool
  /// Where the next line begins.
  private(set) var offset: Int
  /// Bytes from `offset` on.
  private var buffer: ArraySlice<UInt8> = []
  /// Bytes below it survive the machine.
  private var synced = 0
  /// Whether a line is passed over that is longer than any record.
  private var isPassingOver = false

  private static let pieceByteCount = 256 << 10
  private static let newline = UInt8(ascii: "\n")

  /// Opens an outbox at the beginning of a line; anywhere else it begins with the first one. Without `isDurable` lines
  /// are given as they are found, for who only looks.
  init(path: String, offset: Int = 0, isDurable: Bool = true) throws(HostError) {
    (self.path, self.isDurable) = (path, isDurable)
    descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(call: "open", subject: path, errno: .current) }
    guard isRegularFile(descriptor) else {
      close(descriptor)
      throw .system(call: "open", subject: path, errno: Errno(rawValue: ENXIO))
    }
    var before: UInt8 = 0
    let isLineStart = offset > 0 && pread(descriptor, &before, 1, off_t(offset - 1)) == 1 && before == Self.newline
    self.offset = isLineStart ? offset : 0
  }

  deinit { close(descriptor) }

  /// The next line; nil where there is none yet that is whole.
  func next() throws(HostError) -> Line? {
    while true {
      if let end = buffer.firstIndex(of: Self.newline) {
        guard try makeDurable(through: offset + end + 1 - buffer.startIndex) else { return nil }
        let line = buffer[..<end]
        offset += line.count + 1
        buffer = buffer[(end + 1)...]
        let wasPassingOver = isPassingOver
        isPassingOver = false
        return wasPassingOver ? .damaged : EventRecord(line: line).map { .record($0) } ?? .damaged
      }
      if buffer.count > EventRecord.byteCountMax {
        isPassingOver = true
        offset += buffer.count
        buffer = []
      }
      guard try fill() else { return nil }
    }
  }

  /// Reads more; false where there is nothing.
  private func fill() throws(HostError) -> Bool {
    var bytes = [UInt8](repeating: 0, count: Self.pieceByteCount)
    let count = pread(descriptor, &bytes, bytes.count, off_t(offset + buffer.count))
    guard count >= 0 else { throw .system(call: "pread", subject: path, errno: .current) }
    buffer = (Array(buffer) + bytes[..<count])[...]
    return count > 0
  }

  /// Whether what is below `end` is on the disk; it is not where the file was cut meanwhile.
  private func makeDurable(through end: Int) throws(HostError) -> Bool {
    guard isDurable, end > synced else { return true }
    var status = stat()
    guard fstat(descriptor, &status) == 0, fdatasync(descriptor) == 0 else {
      throw .system(call: "fdatasync", subject: path, errno: .current)
    }
    synced = Int(status.st_size)
    return end <= synced
  }
}
