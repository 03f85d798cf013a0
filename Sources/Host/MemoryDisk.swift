internal import CLinux
internal import Glibc

/// A disk of a stated size: a file system in memory, in a mount namespace that only the calling thread and the
/// processes that it starts afterwards see. It goes with the last of them.
package struct MemoryDisk {
  private let path: String
  private let byteCount: Int

  /// Who writes while the disk is made full changes what is full: then that is tried again, so often at most.
  private static let triesMax = 100

  /// Mounts it at `path`, an empty folder. Throws `.system` where this process may not: it takes CAP_SYS_ADMIN.
  package init(at path: String, byteCount: Int) throws(HostError) {
    precondition(byteCount > 0, "a disk of \(byteCount) bytes")
    (self.path, self.byteCount) = (path, byteCount)
    let error = clinux_own_mounts()
    guard error == 0 else {
      throw .system(call: "unshare", subject: "a mount namespace", errno: Errno(rawValue: -error))
    }
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(byteCount),mode=0700") == 0 else {
      throw .system(call: "mount", subject: path, errno: .current)
    }
  }

  /// Ends it for this thread.
  package func unmount() { umount2(path, Int32(MNT_DETACH)) }

  /// Takes all of its room that is free; nothing is written for that. What is removed from it is room again.
  package func fill() throws(HostError) {
    for _ in 0..<Self.triesMax {
      var status = statvfs()
      guard statvfs(path, &status) == 0 else { throw .system(call: "statvfs", subject: path, errno: .current) }
      // A size below what is used meanwhile is refused.
      if resize(to: Int(status.f_blocks - status.f_bfree) * Int(status.f_frsize)) { return }
    }
    throw .system(call: "mount", subject: path, errno: .current)
  }

  /// Gives it back.
  package func free() throws(HostError) {
    guard resize(to: byteCount) else { throw .system(call: "mount", subject: path, errno: .current) }
  }

  private func resize(to byteCount: Int) -> Bool {
    // A size of 0 is none.
    mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(max(byteCount, 4096))") == 0
  }
}
