import Glibc
import Host

/// How fast a disk takes what a journal writes, measured for a moment.
enum DiskProbe {
  private static let blockByteCount = 4 << 20
  static let byteCountMax = 256 << 20
  private static let duration: Duration = .milliseconds(300)

  /// Bytes a second that reach the disk of `folder`, past the system's cache where it can be passed by. Nothing stays
  /// of what is written.
  static func bytesPerSecond(in folder: String) throws(HostError) -> Double {
    FaultPoint.diskProbe.reach()
    let flags = O_TMPFILE | O_WRONLY | O_CLOEXEC
    var descriptor = open(folder, flags | O_DIRECT, 0o600)
    let isDirect = descriptor >= 0
    if !isDirect { descriptor = open(folder, flags, 0o600) }
    guard descriptor >= 0 else { throw .system(call: "open", subject: folder, errno: .current) }
    defer { close(descriptor) }
    let block = UnsafeMutableRawPointer.allocate(byteCount: blockByteCount, alignment: 4096)
    defer { block.deallocate() }
    memset(block, 0x5A, blockByteCount)
    let start = ContinuousClock.now
    var written = 0
    while written < byteCountMax, written == 0 || ContinuousClock.now - start < duration {
      let count = write(descriptor, block, blockByteCount)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(call: "write", subject: folder, errno: .current) }
      written += count
      // What the cache takes at once may take the disk many seconds.
      guard isDirect || fdatasync(descriptor) == 0 else {
        throw .system(call: "fdatasync", subject: folder, errno: .current)
      }
    }
    guard fdatasync(descriptor) == 0 else { throw .system(call: "fdatasync", subject: folder, errno: .current) }
    return Double(written) / ((ContinuousClock.now - start) / .seconds(1))
  }

  // Macros that Swift does not import.
  private static let O_TMPFILE: Int32 = 0o20200000
  private static let O_DIRECT: Int32 = 0o40000
}
