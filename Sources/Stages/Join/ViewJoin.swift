import RunModel

/// What makes the items of a view, one after the other: a function of the topics that it reads alone.
protocol ViewJoin {
  /// What comes next.
  mutating func next() throws -> JoinStep
  /// Where it is behind the last item that it gave.
  var cursors: [ViewEvent.Cursor] { get }
  /// Events so far that salvage gave up.
  var lost: UInt64 { get }
  /// Whether all topics that it reads have ended, and nothing comes any more.
  var hasEnded: Bool { get }
}

/// What comes next in a view.
enum JoinStep {
  /// An item.
  case item([ViewEvent.Pointer])
  /// An item of which something is not to be had.
  case dropped
  /// Nothing yet, and there is more to look at: others may have their turn.
  case busy
  /// Nothing before the topics go on.
  case nothing
}

extension [ViewEvent.Cursor] {
  /// The cursor of a topic; at its beginning where there is none.
  func cursor(_ topic: Topic) -> ViewEvent.Cursor {
    first { $0.topic == topic.id && $0.partition == topic.partition }
      ?? ViewEvent.Cursor(topic: topic.id, partition: UInt32(topic.partition), next: 0)
  }
}
