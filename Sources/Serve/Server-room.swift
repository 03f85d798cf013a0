import Glibc
import Run

extension Server {
  /// Looks what scans that are over take, where that matters.
  func lookAtStored() throws {
    guard file.disk != DiskLimits() else { return }
    try stored.look(queue, measures: file.disk.clearsScans)
  }

  /// Removes run folders of finished scans that are too old and, the oldest first, while less is free than there shall
  /// be. What a scan's volume needs, and what is not finished, is never touched.
  func makeRoom() throws {
    let now = QueueEntry.now
    if let keep = file.disk.keep {
      try removeRuns("after \(Int(keep / 86_400)) days") { $0.ended < now - keep }
    }
    guard let limit = file.disk.freeAtLeast else { return }
    func isShort() -> Bool { Self.room(file.folder).map { $0.free < limit } ?? false }
    guard isShort() else {
      toldOfRoom = false
      return
    }
    try removeRuns("to make room") { _ in isShort() }
    if isShort(), !toldOfRoom {
      toldOfRoom = true
      notice(
        "less than \(limit >> 30) GiB are free in \(file.folder), and no run folder is left that may go; "
          + "volumes and scans that are not finished are for people to move")
    }
  }

  /// Removes the run folders of finished scans that `isDue` names.
  private func removeRuns(_ why: String, where isDue: (StoredScans.StoredScan) -> Bool) throws {
    for (number, scan) in stored.scans.sorted(by: { $0.key < $1.key }) where scan.state == .finished {
      guard let run = scan.run, access(run, F_OK) == 0, isDue(scan) else { continue }
      let before = Self.room(file.folder)?.free
      guard try RunFolder(path: run).removeIfFinished() else { continue }
      if let before, let after = Self.room(file.folder)?.free { disk.note(removed: after - before, now: .now) }
      notice("removed the run folder of scan \(number), which is finished, \(why): \(run)")
    }
  }

  /// Looks how much room there is, and says so where it does not last.
  func watchDisk() {
    guard let room = Self.room(file.folder) else { return }
    disk.add(free: room.free, total: room.total, now: .now)
    let warning = disk.forecast?.warning
    if let warning, !toldOfForecast { notice(warning) }
    toldOfForecast = warning != nil
  }

  /// Bytes that this user may still write beside `path`, and of the whole disk; nil where that cannot be told.
  static func room(_ path: String) -> (free: Int, total: Int)? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    func bytes(_ blocks: fsblkcnt_t) -> Int { Int(clamping: UInt64(blocks) * UInt64(status.f_frsize)) }
    return (bytes(status.f_bavail), bytes(status.f_blocks))
  }
}
