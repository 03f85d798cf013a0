import Journal
package import Rings

/// Images of a topic for somebody who looks: from its ring as long as that has them, otherwise from its journal.
/// Nothing is held, no writer waits, and what cannot be had now, or is damaged, is simply not there: this is for eyes,
/// not for decisions. Use from one thread at a time.
package final class TopicObserver {
  private let ring: RingObserver?
  private let history: TopicHistory?
  private let buffer: UnsafeMutableRawBufferPointer
  /// Of a topic without a ring.
  private let end: UInt64

  /// A topic of a run that goes on, or ended a moment ago: `history` is nil where it has no journal.
  package init(ring: Ring, history: TopicHistory?) {
    (self.ring, self.history, end) = (RingObserver(ring: ring), history, 0)
    buffer = .allocate(byteCount: ring.specification.slotStride, alignment: EventHeader.pageByteCount)
  }

  /// A topic of which only the journal is left.
  package init(history: TopicHistory) throws {
    (ring, self.history) = (nil, history)
    end = try history.end()
    buffer = .allocate(byteCount: EventHeader.pageByteCount, alignment: EventHeader.pageByteCount)
  }

  deinit { buffer.deallocate() }

  /// Sequences below it are published.
  package var published: UInt64 { ring?.published ?? end }

  /// The header of an event.
  package func header(at sequence: UInt64) -> EventHeader? {
    if let event = try? ring?.event(at: sequence) { return event.header }
    return try? history?.header(at: sequence, published: published)
  }

  /// An event with some rows of its image, which were checked; of the others there is what there is. Valid until the
  /// next call. Nil also for an event with fewer rows.
  package func image(at sequence: UInt64, rows: Range<Int>) -> Event? {
    precondition(!rows.isEmpty && rows.lowerBound >= 0, "rows \(rows) of image \(sequence)")
    if let event = ringImage(at: sequence, rows) { return event }
    guard let header = header(at: sequence), rows.upperBound <= Int(header.rows) else { return nil }
    return try? history?.rows(rows, of: sequence, published: published)
  }

  private func ringImage(at sequence: UInt64, _ rows: Range<Int>) -> Event? {
    guard let ring, let table = ring.bandTable(of: sequence, page: buffer), rows.upperBound <= Int(table.header.rows)
    else { return nil }
    let bands = table.bands.bands(ofRows: rows), pages = table.pages(ofBands: bands)
    guard ring.copySlot(of: sequence, pages, into: UnsafeMutableRawBufferPointer(rebasing: buffer[pages])),
      table.areIntact(bands, in: UnsafeRawBufferPointer(buffer))
    else { return nil }
    let payload = buffer[EventHeader.pageByteCount..<EventHeader.pageByteCount + table.header.payloadByteCount]
    return Event(
      header: table.header, metadata: UnsafeRawBufferPointer(start: nil, count: 0),
      payload: UnsafeRawBufferPointer(rebasing: payload))
  }
}
