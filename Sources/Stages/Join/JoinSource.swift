import Rings
import RunModel
import Topics

/// One topic that is joined, from an event on: its events of the kind that items are made of, each once.
struct JoinSource {
  /// What comes next.
  enum Step {
    /// An event, and of an update what it says.
    case event(ViewEvent.Pointer, header: EventHeader, update: UpdateEvent?)
    /// Events that are lost.
    case lost(Range<UInt64>)
    /// Another event, or the topic's end.
    case other
    /// Nothing yet, or nothing any more.
    case nothing
  }

  let topic: Topic
  /// The next event.
  private(set) var next: UInt64
  /// Whether the topic's end was read.
  private(set) var hasEnded = false
  private let follower: TopicFollower
  private let side: ViewEvent.Side

  init(_ topic: Topic, _ follower: TopicFollower, from next: UInt64, side: ViewEvent.Side) {
    (self.topic, self.follower, self.next, self.side) = (topic, follower, next, side)
  }

  /// Reads one event.
  mutating func step() throws -> Step {
    guard !hasEnded, next < follower.published else { return .nothing }
    let sequence = next
    // Of images nobody needs the pixels here.
    if topic.kind == .projections || topic.kind == .corrected {
      switch try follower.headerArrival(at: sequence) {
      case .lost(let range): return skip(range)
      case .event(let header): return take(header, update: nil)
      }
    }
    switch try follower.arrival(at: sequence) {
    case .lost(let range): return skip(range)
    case .event(let event):
      let isUpdate = event.header.kind == .update
      return take(event.header, update: isUpdate ? try UpdateEvent(decoding: event.metadata) : nil)
    }
  }

  /// Reads again from an event on.
  mutating func goBack(to sequence: UInt64) {
    precondition(sequence <= next && !hasEnded, "\(topic.name) from \(next) back to \(sequence)")
    next = sequence
  }

  private mutating func skip(_ range: Range<UInt64>) -> Step {
    let lost = next..<max(next + 1, range.upperBound)
    next = lost.upperBound
    return .lost(lost)
  }

  private mutating func take(_ header: EventHeader, update: UpdateEvent?) -> Step {
    next += 1
    hasEnded = header.kind == .end
    switch header.kind {
    case .projection, .update, .score:
      let pointer = ViewEvent.Pointer(
        topic: topic.id, partition: UInt32(topic.partition), sequence: header.sequence, side: side,
        rows: update?.rows ?? 0..<0, generation: update?.generation ?? 0)
      return .event(pointer, header: header, update: update)
    default: return .other
    }
  }
}
