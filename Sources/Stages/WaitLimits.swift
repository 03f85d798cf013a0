import Rings
import Topics

/// How long a stage waits for its neighbours before it gives up.
package struct WaitLimits: Sendable {
  /// For the next event from upstream.
  package var idle: Duration
  /// For room in a ring, which means for the slowest reader downstream.
  var room: Duration
  /// Whether the time stands still: what waits for room on a full disk holds all the others.
  let isPaused: @Sendable () -> Bool

  /// How often a waiting stage looks up to see whether it was asked to stop.
  static let pollInterval: Duration = .milliseconds(200)

  /// Limits for a run whose source delivers on its own (a file, a simulator).
  package init(
    idle: Duration = .seconds(6 * 3600), room: Duration = .seconds(3600),
    isPaused: @escaping @Sendable () -> Bool = { false }
  ) {
    self.idle = idle
    self.room = room
    self.isPaused = isPaused
  }

  /// Whether nothing came since `start`, for longer than the idle limit; moves `start` on while the time stands still.
  func isOver(since start: inout ContinuousClock.Instant) -> Bool {
    guard ContinuousClock.now - start >= idle else { return false }
    guard isPaused() else { return true }
    start = .now
    return false
  }

  /// The next event of `reader`, waiting up to the idle limit.
  func next(_ reader: TopicReader, of topic: String) throws -> Event {
    try wait(for: topic) { try reader.next(timeout: $0) }
  }

  /// The same, where events may be lost.
  func arrival(_ reader: TopicReader, of topic: String) throws -> Arrival {
    try wait(for: topic) { try reader.arrival(timeout: $0) }
  }

  private func wait<Value>(for topic: String, _ next: (Duration) throws -> Value?) throws -> Value {
    var start = ContinuousClock.now
    while !isOver(since: &start) {
      if let value = try next(.seconds(1)) { return value }
    }
    throw StageError.stalled("no event on \(topic) for \(idle)")
  }
}
