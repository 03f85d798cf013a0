import Journal
package import Rings

/// Looks at a durable topic from outside: all that is published, from its ring as long as that has it, else from its
/// journal. Nobody waits for it, however far behind it is. Use from one thread at a time.
package final class TopicFollower {
  private let ring: RingObserver
  private let history: TopicHistory
  private let buffer: UnsafeMutableRawBufferPointer

  /// Looks at the topic in `ring`, whose journal is in `folder`.
  package init(_ ring: Ring, folder: String, mirror: String? = nil) throws {
    self.ring = RingObserver(ring: ring)
    history = try TopicHistory(folder: folder, mirror: mirror, specification: ring.specification)
    buffer = .allocate(byteCount: ring.specification.slotStride, alignment: EventHeader.pageByteCount)
  }

  deinit { buffer.deallocate() }

  /// Sequences below it are published.
  package var published: UInt64 { ring.published }

  /// Sleeps until event `sequence` is published, at most for `timeout`; whether it is. It may come back earlier.
  package func awaitEvent(_ sequence: UInt64, timeout: Duration) -> Bool {
    ring.awaitPublished(sequence, timeout: timeout)
  }

  /// One event that is published, checked with its payload; valid until the next call.
  package func event(at sequence: UInt64) throws -> Event {
    precondition(sequence < published, "event \(sequence) of \(published)")
    return try copy(of: sequence) ?? history.event(at: sequence, published: published)
  }

  /// The same, or the range that was given up in its place.
  package func arrival(at sequence: UInt64) throws -> Arrival { try arrival { try event(at: sequence) } }

  /// What the ring has of an event; nil where it has it no more, or with damage.
  private func copy(of sequence: UInt64) -> Event? {
    let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<EventHeader.pageByteCount])
    guard ring.copySlot(of: sequence, 0..<page.count, into: page),
      let header = ring.header(in: UnsafeRawBufferPointer(page), of: sequence)
    else { return nil }
    let range = page.count..<page.count + header.payloadByteCount
    let payload = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
    guard ring.copySlot(of: sequence, range, into: payload),
      contentChecksum(of: header, page: UnsafeRawBufferPointer(page), payload: UnsafeRawBufferPointer(payload))
        == header.payloadCRC32C
    else { return nil }
    let metadata = page[EventHeader.byteCount..<EventHeader.byteCount + header.metadataByteCount]
    return Event(
      header: header, metadata: UnsafeRawBufferPointer(rebasing: metadata), payload: UnsafeRawBufferPointer(payload))
  }
}

extension TopicFollower: TopicRows {
  /// From the journal, without a table: who looks at a few rows of a few images need not be fast.
  package func event(at sequence: UInt64, rows: Range<Int>, table: inout BandTable?) throws -> Event {
    precondition(sequence < published, "event \(sequence) of \(published)")
    return try history.rows(rows, of: sequence, published: published)
  }
}

extension TopicFollower {
  /// The header of one event that is published, checked, without its payload and its metadata.
  private func header(at sequence: UInt64) throws -> EventHeader {
    precondition(sequence < published, "event \(sequence) of \(published)")
    let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<EventHeader.pageByteCount])
    if ring.copySlot(of: sequence, 0..<page.count, into: page),
      let header = ring.header(in: UnsafeRawBufferPointer(page), of: sequence)
    {
      return header
    }
    return try history.header(at: sequence, published: published)
  }

  /// What there is at a place, without payload and metadata.
  package enum HeaderArrival {
    /// The header of the event.
    case event(EventHeader)
    /// Events that are lost.
    case lost(Range<UInt64>)
  }

  /// The header of one event that is published, or the range that was given up in its place.
  package func headerArrival(at sequence: UInt64) throws -> HeaderArrival {
    do { return .event(try header(at: sequence)) } catch JournalError.lost(_, let range) { return .lost(range) }
  }
}
