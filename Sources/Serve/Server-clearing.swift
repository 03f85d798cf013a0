import Run
import Spools

// Volumes, and what failed or removed scans left, are for people; they go where serve.yaml says so. That it is so is
// written down first, durably: a server that dies meanwhile brings it to its end, and nobody reads of a volume that is
// half there.
extension Server {
  /// How long removing may take at a time.
  private static let clearingLimit: Duration = .seconds(1)

  /// Removes what has had its time.
  func clearScans() throws {
    guard file.disk.clearsScans else { return }
    let began = ContinuousClock.now
    for due in stored.due(file.disk, now: QueueEntry.now) where jobs[due.number] == nil {
      guard .now - began < Self.clearingLimit else { break }
      carryOn("scan \(due.number)") { try clear(due) }
    }
  }

  private func clear(_ due: StoredScans.DueScan) throws {
    guard let entry = try queue.entry(due.number), entry.isOver else { return stored.forget(due.number) }
    let (isVolume, before) = (due.part == .volume, Self.room(file.folder)?.free)
    let paths = try isVolume ? queue.written(of: due.number, entry.state) : queue.acquired(of: due.number)
    // Its detector may go on.
    if !isVolume, SpoolDescription.isOpen(queue.spool(of: due.number)) { return }
    // Where something cannot be removed at all, nothing is said to be.
    for path in paths { try tree(of: path).check(path) }
    // A scan without a volume does not lose one by that.
    if entry.cleared == nil, isVolume == (entry.state == .finished) {
      try queue.update(due.number) { entry in
        guard entry.isOver, (entry.state == .finished) == isVolume else { return false }
        entry.cleared = ScanClearing(by: due.by, time: QueueEntry.now)
        return true
      }
    }
    defer { stored.forget(due.number) }
    for path in paths {
      guard try isVolume || RunFolder(path: path).isFree else { continue }
      try tree(of: path).remove(path)
    }
    if isVolume, let output = entry.output { try OwnTree(root: queue.volumes).removeIfEmpty(output) }
    if let before, let after = Self.room(file.folder)?.free { disk.note(removed: after - before, now: .now) }
    notice(
      "removed \(Self.words(due, entry)), as \(due.by.rawValue) says: "
        + ((isVolume ? entry.output : entry.run) ?? ""))
  }

  private static func words(_ due: StoredScans.DueScan, _ entry: QueueEntry) -> String {
    switch (due.part, entry.state) {
    case (.volume, .finished): "the volume of scan \(due.number)"
    case (.volume, _): "what was written of the volume of scan \(due.number), \(entry.state)"
    case (.acquired, _): "what was acquired of scan \(due.number), \(entry.state)"
    }
  }

  /// The part of the server's folder in which a path may be removed.
  private func tree(of path: String) -> OwnTree {
    let roots = [queue.volumes, queue.runs, queue.entries]
    return OwnTree(root: roots.first { path.hasPrefix($0 + "/") } ?? queue.volumes)
  }
}
