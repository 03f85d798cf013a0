public import Rings

/// A reader of a topic: what was, from its journal, then what is, from its ring, without a seam. Use from one thread at a time.
///
/// A topic in memory has no journal; its ring holds all of its events, and a reader that replays keeps them readable.
public final class TopicReader {
  private let ring: RingReader
  private let history: TopicHistory?
  private var position: UInt64

  /// Reads from the ring's cursor, or with `replaying` from the topic's first event.
  public init(_ ring: RingReader, history: TopicHistory?, replaying: Bool) throws(RingError) {
    self.ring = ring
    self.history = history
    position = replaying ? 0 : ring.cursor
    if replaying, history == nil { try ring.hold(from: 0) }
  }

  /// The next sequence to be applied; what is below was released.
  public var cursor: UInt64 { ring.cursor }
  /// Events that came twice and were dropped.
  public var duplicates: UInt64 { ring.duplicates }

  /// The next event, or nil where none comes before `timeout`. An event of the journal is valid until the next call.
  public func next(timeout: Duration) throws -> Event? {
    if let history, position < ring.lease {
      let event = try history.event(at: position)
      position += 1
      return event
    }
    guard let event = try ring.next(timeout: timeout) else { return nil }
    position = event.header.sequence + 1
    return event
  }

  /// Goes back to `sequence`: what a restart of the machine left undecided is in the journal, below where the new ring begins. Going forward
  /// is `release`.
  public func seek(backTo sequence: UInt64) {
    if history != nil { position = min(position, sequence) }
  }

  /// The event of any sequence that was published. One of the journal is valid until the next call.
  public func event(at sequence: UInt64) throws -> Event {
    if let history, sequence < ring.lease { return try history.event(at: sequence) }
    return try ring.event(at: sequence)
  }

  /// Says that every event below `sequence` was applied. Events that a replay applies again are released already: nothing happens.
  public func release(upTo sequence: UInt64) throws(RingError) {
    if sequence > ring.cursor { try ring.release(upTo: sequence) }
  }
}
