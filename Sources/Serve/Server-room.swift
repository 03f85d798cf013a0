import Glibc
import Run

extension Server {
  /// Removes run folders of finished scans, the oldest first, while less is free than there shall be. What a scan's
  /// volume needs, and what is not finished, is never touched.
  func makeRoom() throws {
    guard let limit = file.freeAtLeast, var free = Self.freeBytes(file.folder), free < limit else { return }
    for number in try queue.numbers() {
      guard free < limit else { return }
      guard let entry = try queue.entryIfWhole(number), entry.state == .finished, let run = entry.run,
        access(run, F_OK) == 0
      else { continue }
      guard try RunFolder(path: run).removeIfFinished() else { continue }
      free = Self.freeBytes(file.folder) ?? limit
      notice("removed the run folder of scan \(number), which is finished, to make room: \(run)")
    }
    if free < limit, !toldOfRoom {
      toldOfRoom = true
      notice(
        "less than \(limit >> 30) GiB are free in \(file.folder), and no run folder is left that may go; "
          + "volumes and scans that are not finished are for people to move")
    }
  }

  /// Bytes that this user may still write beside `path`; nil where that cannot be told.
  static func freeBytes(_ path: String) -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    return Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
  }
}
