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
}
