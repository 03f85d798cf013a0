import Foundation
import Glibc
import Host

// The disk is full for a while, in between the kills: runs wait for room, and go on.
extension Campaign {
  /// A file system in memory with so many bytes, for all files of a campaign; some runs take a tenth of it.
  private static let diskByteCount = 256 << 20

  /// Mounts it at `folder`, an empty folder. Throws `.system` where this process may not.
  static func mountDisk(at folder: String) throws(HostError) {
    guard mount("tmpfs", folder, "tmpfs", 0, "size=\(diskByteCount)") == 0 else {
      throw .system(call: "mount", subject: folder, errno: .current)
    }
  }

  /// Ends it.
  static func unmountDisk(at folder: String) { umount2(folder, Int32(MNT_DETACH)) }

  /// When the disk is full in a run: milliseconds after its stages begin to start, and how long.
  mutating func drawEpisodes() -> [(start: Int, length: Int)] {
    (0..<Int.random(in: 1...3, using: &random)).map { _ in
      (Int.random(in: 0...200, using: &random), Int.random(in: 1...600, using: &random))
    }
  }

  /// Fills the disk at those times while `process` runs, one after the other.
  func fillDisk(_ episodes: [(start: Int, length: Int)], while process: ChildProcess, _ output: String) throws {
    let log = Self.run(output) + "/log/supervisor.jsonl", deadline = Deadline(after: Self.timeLimit)
    while !FileManager.default.fileExists(atPath: log), !deadline.hasPassed {
      if try process.waitForExit(timeout: .milliseconds(1)) != nil { return }
    }
    for (start, length) in episodes {
      if try process.waitForExit(timeout: .milliseconds(start)) != nil { return }
      let filler = "\(folder)/filler"
      let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw HostError.system(call: "open", subject: filler, errno: .current) }
      defer {
        close(descriptor)
        unlink(filler)
      }
      // What is left of the disk is less than the last piece.
      for piece in [1 << 20, 4096] {
        let bytes = [UInt8](repeating: 1, count: piece)
        while write(descriptor, bytes, piece) == piece {}
      }
      if try process.waitForExit(timeout: .milliseconds(length)) != nil { return }
    }
  }
}
