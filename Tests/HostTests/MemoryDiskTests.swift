import Foundation
import Glibc
import Host
import Synchronization
import TestSupport
import Testing

/// Disks in memory that are full for a while.
@Suite(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
struct MemoryDiskTests {
  /// Writes so many bytes; gives whether there was room.
  private static func write(_ count: Int, to path: String) -> Bool {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return Glibc.write(descriptor, [UInt8](repeating: 1, count: count), count) == count
  }

  /// What a thread of its own sees of a disk: its mounts are none of the other tests'.
  private static func look(_ folder: String) throws -> [Bool] {
    let disk = try MemoryDisk(at: folder, byteCount: 1 << 20), (first, second) = ("\(folder)/first", "\(folder)/second")
    defer { disk.unmount() }
    var seen = [write(100_000, to: first)]
    try disk.fill()
    seen.append(write(8192, to: second))
    unlink(first)
    seen.append(write(50_000, to: second))
    try disk.free()
    return seen + [write(500_000, to: second), write(1 << 20, to: second)]
  }

  @Test func `It is full at once, has room again, and nobody else sees it`() throws {
    let folder = try TestFolder(), path = folder.path
    let results = Mutex<Result<[Bool], any Error>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      results.withLock { $0 = Result { try Self.look(path) } }
      isDone.signal()
    }
    isDone.wait()
    #expect(try results.withLock { try $0?.get() } == [true, false, true, true, false])
    #expect(try folder.names().isEmpty)
  }
}
