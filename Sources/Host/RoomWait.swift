import Glibc

/// Waits for room on a disk that is full: what could not be written is written again, until there is room or somebody
/// stops it.
package struct RoomWait {
  private let isStopped: () -> Bool
  private let changed: (Bool) -> Void
  private let limit: Duration
  private let period: Duration

  /// Between two looks at whether it is stopped.
  private static let lookPeriod = Duration.milliseconds(100)

  /// `changed` hears that there is no room, and that what lacked it is written or given up. An attempt is made each
  /// `period`, and the last one after `limit`: by default a week, so that people have the time to make room.
  package init(
    limit: Duration = .seconds(7 * 86_400), period: Duration = .seconds(1), isStopped: @escaping () -> Bool,
    changed: @escaping (_ isFull: Bool) -> Void
  ) {
    (self.limit, self.period, self.isStopped, self.changed) = (limit, period, isStopped, changed)
  }

  /// What `write` gives, as soon as it finds room; nil where it is stopped before. `write` leaves nothing behind where
  /// it fails. Throws any other failure, and `.full` after the limit.
  package func write<Result>(_ write: () throws -> Result) throws -> Result? {
    let deadline = Deadline(after: limit)
    var isFull = false
    defer { if isFull { changed(false) } }
    while true {
      do { return try write() } catch let error as FileError where error.isFull && !deadline.hasPassed {
        if !isFull { changed(true) }
        isFull = true
      }
      guard pause() else { return nil }
    }
  }

  /// Sleeps until the next attempt; false where it is stopped.
  private func pause() -> Bool {
    let end = Deadline(after: period)
    while !isStopped() {
      if end.hasPassed { return true }
      usleep(UInt32(min(end.remaining, Self.lookPeriod) / .microseconds(1)))
    }
    return false
  }
}
