internal import Synchronization

/// Looks at a ring without a line of its own: it never holds the writer, and may miss events.
package final class RingObserver {
  /// The ring.
  let ring: Ring
  private static let attemptLimit = 64

  /// An observer of `ring`.
  package init(ring: Ring) { self.ring = ring }

  /// The newest published event's header and metadata, copied. Nil if nothing is published yet, or if the writer
  /// overwrote each of many attempts. Metadata of an event with a payload is not checksummed by itself: it is what was
  /// there while the stamp stayed.
  package func latest() throws(RingError) -> (header: EventHeader, metadata: [UInt8])? {
    for _ in 0..<Self.attemptLimit {
      let published = ring.memory.published.pointee.load(ordering: .acquiring)
      guard published > ring.specification.firstSequence else { return nil }
      if let found = try event(at: published - 1) { return found }
    }
    return nil
  }

  /// The same of any event; nil if the ring does not hold it, or the writer overwrote each of many attempts.
  package func event(at sequence: UInt64) throws(RingError) -> (header: EventHeader, metadata: [UInt8])? {
    let memory = ring.memory
    for _ in 0..<Self.attemptLimit {
      guard let slot = memory.committedSlot(sequence) else { return nil }
      let word = memory.stamp(slot)
      // SYNC latest → commit: the stamp is read before what it vouches for.
      let stamp = TaggedWord(rawValue: word.pointee.load(ordering: .acquiring))
      guard stamp.slotState == .committed, stamp.sequence == sequence else { continue }
      let bytes = [UInt8](UnsafeRawBufferPointer(start: slot, count: EventHeader.pageByteCount))
      // SYNC latest → claim: the stamp is read once more after the copy; had a byte of it been stored by a later claim,
      // it would differ.
      atomicMemoryFence(ordering: .acquiring)
      guard word.pointee.load(ordering: .relaxed) == stamp.rawValue else { continue }
      let header = try bytes.withUnsafeBytes { copy in
        Result { () throws(RingError) in try ring.header(in: copy, sequence: stamp.sequence, epoch: stamp.epoch) }
      }.get()
      return (header, Array(bytes[EventHeader.byteCount..<EventHeader.byteCount + header.metadataByteCount]))
    }
    return nil
  }

  /// Sequences below it are published.
  package var published: UInt64 { ring.memory.published.pointee.load(ordering: .acquiring) }

  /// Sleeps until more than `sequence` events are published, at most for `timeout`; whether they are. It may come back
  /// earlier.
  package func awaitPublished(_ sequence: UInt64, timeout: Duration) -> Bool {
    let memory = ring.memory, count = memory.publishedBell.count
    // SYNC awaitPublished → publish: as in `RingReader.awaitPublished`.
    memory.readersAsleep.pointee.store(1, ordering: .sequentiallyConsistent)
    if memory.published.pointee.load(ordering: .sequentiallyConsistent) > sequence { return true }
    if timeout > .zero { memory.publishedBell.sleep(since: count, atMost: timeout) }
    return published > sequence
  }

  /// How far the writer and the readers are.
  package var progress: RingProgress { ring.progress }

  /// Copies bytes of an event's slot; false if the ring does not hold the event, or the writer came in between. What
  /// was copied is checked by who asked for it.
  package func copySlot(of sequence: UInt64, _ range: Range<Int>, into target: UnsafeMutableRawBufferPointer) -> Bool {
    ring.copySlot(of: sequence, range, into: target)
  }

  /// The header in a copy of a slot's page (`copySlot`); nil where it is not the event's.
  package func header(in page: UnsafeRawBufferPointer, of sequence: UInt64) -> EventHeader? {
    ring.header(in: page, of: sequence)
  }

  /// The checksums of an image's bands and its header; nil if the ring does not hold it as it was written, or it has no
  /// rows. Its page is copied to the beginning of `page`.
  package func bandTable(of sequence: UInt64, page: UnsafeMutableRawBufferPointer) -> BandTable? {
    let page = UnsafeMutableRawBufferPointer(rebasing: page[..<EventHeader.pageByteCount])
    guard copySlot(of: sequence, 0..<EventHeader.pageByteCount, into: page),
      let header = ring.header(in: UnsafeRawBufferPointer(page), of: sequence)
    else { return nil }
    return BandTable(header, page: UnsafeRawBufferPointer(page))
  }
}

extension Ring {
  /// Copies bytes of a slot, which the writer may fill anew at any time; false where the ring does not have the event
  /// any more.
  func copySlot(of sequence: UInt64, _ range: Range<Int>, into target: UnsafeMutableRawBufferPointer) -> Bool {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= specification.slotStride && target.count == range.count,
      "\(range) of a slot of \(specification.slotStride) B into \(target.count) B")
    guard let slot = memory.committedSlot(sequence) else { return false }
    // SYNC copySlot → commit, claim: as in `RingObserver.event`.
    let word = memory.stamp(slot), stamp = TaggedWord(rawValue: word.pointee.load(ordering: .acquiring))
    guard stamp.slotState == .committed, stamp.sequence == sequence else { return false }
    target.copyMemory(from: UnsafeRawBufferPointer(start: slot + range.lowerBound, count: range.count))
    atomicMemoryFence(ordering: .acquiring)
    return word.pointee.load(ordering: .relaxed) == stamp.rawValue
  }

  /// The header in a copy of a slot's page (`copySlot`); nil where it is not the event's.
  func header(in page: UnsafeRawBufferPointer, of sequence: UInt64) -> EventHeader? {
    guard let header = try? EventHeader(validating: page), header.sequence == sequence,
      header.identity == specification.identity, header.payloadByteCount <= specification.payloadCapacity
    else { return nil }
    return header
  }
}
