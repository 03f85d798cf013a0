/// An event, read where it lies. The bytes stay as they are while the reader's lease covers the sequence.
package struct Event {
  /// What the event is: this process's own, checked copy.
  package let header: EventHeader
  /// The metadata. Checked where the event has no payload; otherwise `RingReader.verifyPayload` checks it together with
  /// the payload.
  package let metadata: UnsafeRawBufferPointer
  /// The payload, unchecked until `RingReader.verifyPayload`, which may look at some rows only.
  package let payload: UnsafeRawBufferPointer
  /// The page before the payload; nil for what was checked elsewhere.
  private let page: UnsafeRawBufferPointer?

  init(header: EventHeader, slot: UnsafeRawPointer) {
    precondition(
      (0...EventHeader.metadataCapacity).contains(header.metadataByteCount) && header.payloadByteCount >= 0,
      "event \(header.sequence): \(header.metadataByteCount) B of metadata, \(header.payloadByteCount) B of payload")
    self.header = header
    metadata = UnsafeRawBufferPointer(start: slot + EventHeader.byteCount, count: header.metadataByteCount)
    payload = UnsafeRawBufferPointer(start: slot + EventHeader.pageByteCount, count: header.payloadByteCount)
    page = UnsafeRawBufferPointer(start: slot, count: EventHeader.pageByteCount)
  }

  /// An event that was read from elsewhere and checked there: with all of its metadata and payload, or with none.
  package init(header: EventHeader, metadata: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    precondition(
      metadata.isEmpty || metadata.count == header.metadataByteCount,
      "event \(header.sequence): \(metadata.count) B of metadata, its header says \(header.metadataByteCount)")
    precondition(
      payload.isEmpty || payload.count == header.payloadByteCount,
      "event \(header.sequence): \(payload.count) B of payload, its header says \(header.payloadByteCount)")
    self.header = header
    self.metadata = metadata
    self.payload = payload
    page = nil
  }

  /// Whether metadata and payload are as they were written; of an image that has rows, with `rows`, only the bands that
  /// hold these.
  func isIntact(rows: Range<Int>? = nil) -> Bool {
    guard let page else { preconditionFailure("event \(header.sequence) was checked where it was read") }
    guard let rows, let bands = header.bands, rows.upperBound <= Int(header.rows) else {
      return contentChecksum(of: header, page: page, payload: payload) == header.payloadCRC32C
    }
    return bands.areIntact(bands.bands(ofRows: rows), of: header, page: page, payload: payload)
  }
}

extension Ring {
  /// Copies and checks the header at the beginning of `slot`, whose stamp was seen committed for `sequence` by `epoch`.
  func header(in slot: UnsafeRawBufferPointer, sequence: UInt64, epoch: UInt64) throws(RingError) -> EventHeader {
    let header: EventHeader
    do throws(EventHeader.Fault) {
      header = try EventHeader(validating: slot)
    } catch {
      throw .damaged(ring: name, sequence: sequence, reason: "its header: \(error)")
    }
    guard header.sequence == sequence, header.epoch == epoch, header.identity == specification.identity else {
      throw .damaged(
        ring: name, sequence: sequence, reason: "its header is event \(header.sequence)'s of \(header.identity)")
    }
    guard header.payloadByteCount <= specification.payloadCapacity else {
      throw .damaged(
        ring: name, sequence: sequence, reason: "its header claims \(header.payloadByteCount) bytes of payload")
    }
    return header
  }
}
