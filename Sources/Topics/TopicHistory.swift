package import Journal
package import Rings

/// The events of a durable topic that its ring does not hold any more, or not yet, read from its journal. Use from one
/// thread at a time.
package final class TopicHistory {
  private let reader: JournalReader
  private let buffer: UnsafeMutableRawBufferPointer

  /// The journal in `folder`, with its copy in `mirror`; it has a writer or none.
  package init(folder: String, mirror: String? = nil, specification: RingSpecification) throws {
    let (identity, stride) = (specification.identity, specification.slotStride)
    reader = JournalReader(
      device: try openJournalReader(folder: folder, mirror: mirror, identity: identity, stride: stride),
      identity: identity, stride: stride)
    buffer = .allocate(byteCount: specification.slotStride, alignment: EventHeader.pageByteCount)
  }

  deinit { buffer.deallocate() }

  /// One event, checked with its payload; valid until the next call. All below `published` is known to be durable.
  package func event(at sequence: UInt64, published: UInt64 = 0) throws(JournalError) -> Event {
    let record = try reader.read(sequence: sequence, into: buffer, durableThrough: published)
    precondition(record.header.sequence == sequence, "\(record.header.sequence) was read in place of \(sequence)")
    return Event(header: record.header, metadata: record.metadata, payload: record.payload)
  }

  /// Some rows of one event's image, each band of them checked, and nothing else of its payload: the rest of it is
  /// undefined. `table` is that of an earlier call, or nil; it is filled in. What a ring still has is taken from there.
  /// Valid until the next call.
  func rows(
    _ rows: Range<Int>, of sequence: UInt64, table known: inout BandTable?, ring: RingReader, published: UInt64
  ) throws(JournalError) -> Event {
    let table: BandTable
    if let known {
      table = known
    } else if let found = ringTable(sequence, ring) {
      table = found
    } else if let found = try reader.readTable(sequence: sequence, into: buffer, durableThrough: published) {
      table = found
    } else {
      return try event(at: sequence, published: published)
    }
    precondition(table.header.sequence == sequence, "a table of \(table.header.sequence) for \(sequence)")
    known = table
    let bands = table.bands.bands(ofRows: rows), pages = table.pages(ofBands: bands)
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[pages])
    let isInRing = ring.copySlot(of: sequence, pages, into: target)
    if !isInRing || !table.areIntact(bands, in: UnsafeRawBufferPointer(buffer)) {
      try reader.readBands(bands, table, into: buffer, durableThrough: published)
    }
    let payload = buffer[EventHeader.pageByteCount..<EventHeader.pageByteCount + table.header.payloadByteCount]
    return Event(
      header: table.header, metadata: UnsafeRawBufferPointer(start: nil, count: 0),
      payload: UnsafeRawBufferPointer(rebasing: payload))
  }

  /// The same from the journal alone.
  func rows(_ rows: Range<Int>, of sequence: UInt64, published: UInt64) throws(JournalError) -> Event {
    guard let table = try reader.readTable(sequence: sequence, into: buffer, durableThrough: published) else {
      return try event(at: sequence, published: published)
    }
    try reader.readBands(table.bands.bands(ofRows: rows), table, into: buffer, durableThrough: published)
    let payload = buffer[EventHeader.pageByteCount..<EventHeader.pageByteCount + table.header.payloadByteCount]
    return Event(
      header: table.header, metadata: UnsafeRawBufferPointer(start: nil, count: 0),
      payload: UnsafeRawBufferPointer(rebasing: payload))
  }

  /// Where the journal ends, as far as its records are whole.
  func end() throws(JournalError) -> UInt64 { try reader.sequences().last?.upperBound ?? 0 }

  /// The table of an event that a ring still has below the lease; nil where it does not, or with damage.
  private func ringTable(_ sequence: UInt64, _ ring: RingReader) -> BandTable? {
    let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<EventHeader.pageByteCount])
    guard ring.copySlot(of: sequence, 0..<EventHeader.pageByteCount, into: page),
      let header = ring.header(in: UnsafeRawBufferPointer(page), of: sequence)
    else { return nil }
    return BandTable(header, page: UnsafeRawBufferPointer(page))
  }

  /// The header of one event, checked, and its metadata, which are not: they have one checksum with the payload, which
  /// is not read. Valid until the next call.
  package func beginning(at sequence: UInt64) throws(JournalError) -> (EventHeader, metadata: UnsafeRawBufferPointer) {
    let header = try header(at: sequence)
    precondition(header.metadataByteCount <= EventHeader.metadataCapacity, "\(header.metadataByteCount) B of metadata")
    let metadata = buffer[EventHeader.byteCount..<EventHeader.byteCount + header.metadataByteCount]
    return (header, UnsafeRawBufferPointer(rebasing: metadata))
  }

  /// The header of one event, checked; its payload is not read.
  func header(at sequence: UInt64, published: UInt64 = 0) throws(JournalError) -> EventHeader {
    try reader.readHeader(sequence: sequence, into: buffer, durableThrough: published)
  }
}
