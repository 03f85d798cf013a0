package import Journal
package import Rings

/// The events of a durable topic that its ring does not hold any more, or not yet, read from its journal. Use from one
/// thread at a time.
package final class TopicHistory {
  private let reader: JournalReader
  private let buffer: UnsafeMutableRawBufferPointer

  /// The journal in `folder`, which has a writer or none.
  package init(folder: String, specification: RingSpecification) throws {
    reader = JournalReader(
      device: try PwriteDevice(folder: folder), identity: specification.identity, stride: specification.slotStride)
    buffer = .allocate(byteCount: specification.slotStride, alignment: EventHeader.pageByteCount)
  }

  deinit { buffer.deallocate() }

  /// One event, checked with its payload; valid until the next call. All below `published` is known to be durable.
  package func event(at sequence: UInt64, published: UInt64 = 0) throws(JournalError) -> Event {
    let record = try reader.read(sequence: sequence, into: buffer, durableThrough: published)
    precondition(record.header.sequence == sequence, "\(record.header.sequence) was read in place of \(sequence)")
    return Event(header: record.header, metadata: record.metadata, payload: record.payload)
  }

  /// The header of one event, checked; its payload is not read.
  func header(at sequence: UInt64, published: UInt64) throws(JournalError) -> EventHeader {
    try reader.readHeader(sequence: sequence, into: buffer, durableThrough: published)
  }
}
