import Foundation
import Glibc

/// A small file system in memory, mounted as long as the value that owns it: a disk that a test can fill.
package final class SmallDisk {
  /// Where it is mounted.
  package let path: String
  private let folder: TestFolder
  private let byteCount: Int
  private var filler: String { path + "/filler" }

  /// Whether this process may mount; in most containers even root may not.
  package static let isAvailable: Bool = {
    do { return try !SmallDisk(byteCount: 64 << 10).path.isEmpty } catch { return false }
  }()

  /// Mounts it.
  package init(byteCount: Int) throws {
    self.byteCount = byteCount
    folder = try TestFolder()
    path = folder.path
    try mount()
  }

  deinit { unmount() }

  /// Mounts another, empty disk in its place.
  package func mount() throws {
    guard Glibc.mount("tmpfs", path, "tmpfs", 0, "size=\(byteCount)") == 0 else {
      throw POSIXError(.init(rawValue: errno) ?? .EPERM)
    }
  }

  /// Takes it away; where it was is an empty folder on the disk above.
  package func unmount() { umount2(path, Int32(MNT_DETACH)) }

  /// Takes all of its room.
  package func fill() throws {
    let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    defer { close(descriptor) }
    for byteCount in [1 << 20, 4096] {
      let bytes = [UInt8](repeating: 1, count: byteCount)
      // What is left is less than this.
      while write(descriptor, bytes, byteCount) > 0 {}
    }
  }

  /// Gives it back.
  package func makeRoom() { unlink(filler) }
}
