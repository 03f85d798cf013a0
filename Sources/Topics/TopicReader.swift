package import Rings

/// A reader of a topic: what was, from its journal, then what is, from its ring, without a seam. Use from one thread at
/// a time.
///
/// What the ring does not have any more, never had because it was full, or has with damage, comes from the journal. A
/// topic in memory has no journal; its ring holds all of its events, and a reader that replays keeps them readable.
package final class TopicReader {
  /// How much of an event is checked before it is handed out.
  package enum Checks: Sendable {
    /// The header, and the metadata of an event without payload.
    case header
    /// The payload too: for the first reader that sees an event.
    case payload
    /// The payload of what lies in the ring, for a first reader that itself needs headers only. Of an event that is on
    /// disk by now only the header is read, and its payload is empty: who uses it checks it. What such an event has as
    /// metadata is not read either.
    case payloadInRing
  }

  /// Published events that the ring did not have, or had with damage, and that were read from the journal.
  package private(set) var gapsFilled = 0
  private let ring: RingReader
  private let history: TopicHistory?
  private let checks: Checks
  /// The sequence that is read next.
  package private(set) var position: UInt64

  /// Reads from the ring's cursor, or with `replaying` from the topic's first event.
  package init(_ ring: RingReader, history: TopicHistory?, replaying: Bool, checks: Checks = .header) throws(RingError)
  {
    self.ring = ring
    self.history = history
    self.checks = checks
    position = replaying ? 0 : ring.cursor
    if history != nil {
      // What a predecessor kept back of what it had released, be it that it died while it moved on, is in the journal.
      try ring.hold(from: nil)
    } else if replaying {
      try ring.hold(from: 0)
    }
    precondition(
      history != nil || position >= ring.lease, "event \(position) is neither held from \(ring.lease) nor in a journal")
  }

  /// The next sequence to be applied; what is below was released.
  package var cursor: UInt64 { ring.cursor }

  /// The next event, or nil where none comes before `timeout`. An event of the journal is valid until the next call.
  package func next(timeout: Duration) throws -> Event? {
    if let history, position < ring.lease {
      let event = try history.event(at: position, published: ring.publishedThrough)
      position += 1
      return event
    }
    let place = ring.position
    do throws(RingError) {
      guard let event = try ring.next(timeout: timeout) else { return nil }
      precondition(event.header.sequence == place, "\(event.header.sequence) came in place of \(place)")
      if checks != .header { try ring.verifyPayload(event) }
      position = event.header.sequence + 1
      return event
    } catch {
      let event = try fill(error, at: place)
      if ring.position == place { ring.pass() }
      precondition(ring.position == place + 1, "the ring is at \(ring.position), event \(place) was read elsewhere")
      position = place + 1
      return event
    }
  }

  /// Goes back to `sequence`: what a restart of the machine left undecided is in the journal, below where the new ring
  /// begins. Going forward is `release`.
  package func seek(backTo sequence: UInt64) {
    if history != nil { position = min(position, sequence) }
  }

  /// Sequences below it are published.
  package var published: UInt64 { ring.publishedThrough }

  /// Goes on at `sequence`, with everything below applied: who knows from its own durable state what came of that does
  /// not read it again. What is not published yet cannot be skipped: a precondition.
  package func skip(to sequence: UInt64) throws(RingError) {
    precondition(sequence <= published, "event \(published) was never published, \(sequence) would be read")
    position = max(position, sequence)
    ring.pass(to: sequence)
    try release(upTo: sequence)
  }

  /// Passes over events that are lost.
  func pass(to sequence: UInt64) { position = max(position, sequence) }

  /// The event of any sequence that was published. One of the journal is valid until the next call.
  package func event(at sequence: UInt64) throws -> Event {
    if let history, sequence < ring.lease { return try history.event(at: sequence, published: ring.publishedThrough) }
    do throws(RingError) {
      let event = try ring.event(at: sequence)
      if checks == .payload { try ring.verifyPayload(event) }
      return event
    } catch {
      return try fill(error, at: sequence)
    }
  }

  /// The event of any sequence that was published, with some rows of its image, checked, and of the others what is at
  /// hand; `table` is nil, or what an earlier call for the same event filled in, which spares reading its header again.
  /// One of the journal is valid until the next call.
  package func event(at sequence: UInt64, rows: Range<Int>, table: inout BandTable?) throws -> Event {
    if let history, sequence < ring.lease {
      return try history.rows(rows, of: sequence, table: &table, ring: ring, published: ring.publishedThrough)
    }
    do throws(RingError) {
      let event = try ring.event(at: sequence)
      // A reader before this one may have found it as it was; since then it lay in memory that others can write.
      if !event.payload.isEmpty { try ring.verifyPayload(event, rows: rows) }
      return event
    } catch {
      return try fill(error, at: sequence)
    }
  }

  /// The same for who looks at an event once.
  package func event(at sequence: UInt64, rows: Range<Int>) throws -> Event {
    var table: BandTable?
    return try event(at: sequence, rows: rows, table: &table)
  }

  /// Keeps every event readable though it is released, where the topic has no journal to read it from. To be asked for
  /// before anything is released.
  package func keepAll() throws(RingError) { if history == nil { try ring.hold(from: 0) } }

  /// Says that every event below `sequence` was applied. Events that a replay applies again are released already:
  /// nothing happens.
  package func release(upTo sequence: UInt64) throws(RingError) {
    if sequence > ring.cursor { try ring.release(upTo: sequence) }
  }

  /// An event with a payload, without it; nil for one without, which is whole in its header's page.
  private func headerOnly(at sequence: UInt64, _ history: TopicHistory) throws -> Event? {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let header = try ring.spilledHeader(at: sequence) ?? history.header(at: sequence, published: ring.publishedThrough)
    precondition(header.sequence == sequence, "\(header.sequence) was read in place of \(sequence)")
    return header.payloadByteCount > 0 ? Event(header: header, metadata: nothing, payload: nothing) : nil
  }

  /// The journal's copy of an event that the ring cannot give; throws `error` where that is no reason to look there.
  private func fill(_ error: RingError, at sequence: UInt64) throws -> Event {
    switch error {
    case .spilled, .damaged:
      guard let history else { throw error }
      if checks == .payloadInRing, case .spilled = error, let event = try headerOnly(at: sequence, history) {
        return event
      }
      let event = try history.event(at: sequence, published: ring.publishedThrough)
      gapsFilled += 1
      return event
    default: throw error
    }
  }
}
