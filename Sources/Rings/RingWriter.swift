import Host
internal import Synchronization

/// A slot that a writer may fill.
package struct Claim {
  /// The sequence that the event will have.
  package let sequence: UInt64
  /// Where the payload goes: the slot's whole capacity, in place.
  package let payload: UnsafeMutableRawBufferPointer
  /// Where the metadata goes: 3,968 bytes.
  package let metadata: UnsafeMutableRawBufferPointer
}

/// The one writer of a ring, for as long as its epoch lasts. Use from one thread at a time.
package final class RingWriter {
  /// When readers see an event.
  package enum Publishing: Sendable {
    /// With its commit: a topic in memory.
    case atCommit
    /// When `publish(through:)` says so: a topic that is made durable first.
    case whenDurable
  }

  /// The ring.
  package let ring: Ring
  /// The incarnation of this writer.
  let epoch: UInt64
  /// The sequence of the next event.
  @exclusivity(unchecked) package private(set) var nextSequence: UInt64
  private static let spinLimit = 100
  private let publishesAtCommit: Bool
  private let memory: RingMemory
  // Sound, here and above: no access to these lasts longer than a load or a store. Checking each costs a third of a
  // claim.
  @exclusivity(unchecked) private var chain: UInt64
  @exclusivity(unchecked) private var slot: UnsafeMutableRawPointer
  @exclusivity(unchecked) private var isClaimed = false
  /// The slots of events below it may be used again, when that was last read; the real number is never lower.
  @exclusivity(unchecked) private var freeKnown: UInt64 = 0

  /// Takes the ring over for `epoch`, the newest one granted, and goes on at the first sequence that is not committed.
  /// Events that the last writer committed and did not publish any more are published, or left to `publish(through:)`.
  ///
  /// Throws `.fenced` for an epoch that has ended, `.refused` while a claim of an earlier epoch is not void.
  package init(ring: Ring, epoch: UInt64, publishing: Publishing = .atCommit) throws(RingError) {
    precondition(
      ring.specification.whenFull != .spill || publishing == .whenDurable, "ring \(ring.name) spills and has no disk")
    precondition(epoch < TaggedWord.epochLimit, "epoch \(epoch) was never granted")
    self.ring = ring
    publishesAtCommit = publishing == .atCommit
    self.epoch = epoch
    memory = ring.memory
    guard memory.epochGranted.pointee.load(ordering: .sequentiallyConsistent) == epoch, epoch > 0 else {
      throw .fenced(ring: ring.name, epoch: epoch)
    }
    nextSequence = ring.specification.firstSequence
    chain = ring.specification.firstChain
    slot = memory.slot(nextSequence)
    if let last = try lastCommitted() {
      nextSequence = last.sequence + 1
      chain = last.chainAfter
      slot = memory.slot(nextSequence)
    }
    guard memory.published.pointee.load(ordering: .relaxed) <= nextSequence else {
      throw .damaged(ring: ring.name, sequence: nextSequence, reason: "it was published before it was committed")
    }
    precondition(
      nextSequence >= ring.specification.firstSequence,
      "ring \(ring.name) goes on at \(nextSequence) and began at \(ring.specification.firstSequence)")
    announce(nextSequence)
  }

  /// Lets readers see all events below `sequence`: they are durable. May be called by another thread than the one that
  /// commits.
  package func publish(through sequence: UInt64) {
    precondition(!publishesAtCommit, "ring \(ring.name) publishes at commit")
    // What was published cannot be taken back.
    precondition(sequence <= TaggedWord.sequenceLimit, "ring \(ring.name) has no events below \(sequence)")
    memory.publish(through: sequence)
    // SYNC publish → sleep: the count was moved before this is read, as a lease in `RingReader.wakeWriter`.
    let wanted = memory.releaseWanted.pointee.load(ordering: .sequentiallyConsistent)
    if wanted != 0, sequence >= wanted, memory.lowestLease().lease >= wanted { memory.releasedBell.ring() }
  }

  /// The bytes of a committed event that is not published yet, as they are written to disk. The slot stays as it is
  /// until the event is published. May be called by another thread than the one that commits.
  package func slotBytes(_ sequence: UInt64) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory.committedSlot(sequence) ?? memory.slot(sequence), count: memory.slotStride)
  }

  /// Sequences below it are committed. May be called by another thread than the one that commits.
  package var committedThrough: UInt64 {
    // SYNC committed → journal: everything of an event is stored before the count passes it.
    memory.committed.pointee.load(ordering: .acquiring)
  }

  /// The next slot, after every required reader has given it back and its event is published; waits for that at most
  /// `timeout`. A claim that was not committed is given out again: what failed while filling it is tried anew or left.
  ///
  /// Throws `.timedOut` naming the reader that is furthest behind, `.diskBehind` where its event is still on its way to
  /// disk, or `.dropped` at once where the ring was made so; a ring that spills gives a spill slot instead, and throws
  /// `.diskBehind` if those stayed on their way to disk; `.fenced` when this writer's epoch has ended.
  package func claim(timeout: Duration) throws(RingError) -> Claim {
    if isClaimed {
      guard memory.epochGranted.pointee.load(ordering: .relaxed) == epoch else {
        throw .fenced(ring: ring.name, epoch: epoch)
      }
    } else {
      if nextSequence >= memory.slotCount, nextSequence - memory.slotCount >= freeKnown { try makeRoom(timeout) }
      try take()
      isClaimed = true
    }
    return Claim(
      sequence: nextSequence,
      payload: UnsafeMutableRawBufferPointer(
        start: slot + EventHeader.pageByteCount, count: ring.specification.payloadCapacity),
      metadata: UnsafeMutableRawBufferPointer(start: slot + EventHeader.byteCount, count: EventHeader.metadataCapacity))
  }

  /// Publishes the claimed slot with its checksums. Throws `.fenced` if this writer's epoch ended while it was filling
  /// it: nothing was published then, and the writer must stop.
  package func commit(_ claim: Claim, _ fields: EventFields) throws(RingError) {
    precondition(isClaimed && claim.sequence == nextSequence, "event \(claim.sequence) is not claimed")
    precondition(
      claim.payload.baseAddress == slot + EventHeader.pageByteCount, "event \(claim.sequence) was filled elsewhere")
    isClaimed = false
    let claimed = TaggedWord(nextSequence, epoch, .claimed).rawValue
    // A writer that was fenced long ago must not write over its successor's header. One that is stopped right here
    // still can: readers find that by epoch and checksum, and it cannot happen where the writer is killed before it is
    // fenced.
    guard memory.stamp(slot).pointee.load(ordering: .relaxed) == claimed else {
      throw .fenced(ring: ring.name, epoch: epoch)
    }
    let header = header(fields)
    let words = header.words
    for index in 1..<16 { slot.storeBytes(of: words[index], toByteOffset: 8 * index, as: UInt64.self) }
    // SYNC commit → next: every store to header, metadata and payload happens before the stamp becomes committed. The
    // failure of this compare-and-swap is the fence: `voidClaims` changed the stamp first.
    let (isMine, _) = memory.stamp(slot).pointee.compareExchange(
      expected: claimed, desired: TaggedWord(nextSequence, epoch, .committed).rawValue, ordering: .releasing)
    guard isMine else { throw .fenced(ring: ring.name, epoch: epoch) }
    chain = EventHeader.chain(after: chain, headerCRC32C: UInt32(words[15] >> 32), payloadCRC32C: header.payloadCRC32C)
    nextSequence += 1
    slot = memory.slot(nextSequence)
    announce(nextSequence)
  }

  @inline(__always)
  private func header(_ fields: EventFields) -> EventHeader {
    precondition(
      (0...ring.specification.payloadCapacity).contains(fields.payloadByteCount),
      "event \(nextSequence): \(fields.payloadByteCount) B exceed the slot's \(ring.specification.payloadCapacity) B")
    precondition(
      (0...EventHeader.metadataCapacity).contains(fields.metadataByteCount),
      "event \(nextSequence): \(fields.metadataByteCount) B of metadata exceed \(EventHeader.metadataCapacity) B")
    precondition(
      fields.rows >= 0 && fields.columns >= 0
        && fields.rows * fields.columns * (fields.pixel?.byteCount ?? 0) <= fields.payloadByteCount,
      "event \(nextSequence): \(fields.rows) × \(fields.columns) elements exceed \(fields.payloadByteCount) B")
    var header = EventHeader(
      kind: fields.kind, identity: ring.specification.identity, sequence: nextSequence, epoch: epoch,
      acquiredAt: fields.acquiredAt,
      durableThrough: publishesAtCommit ? 0 : memory.published.pointee.load(ordering: .relaxed), chain: chain,
      payloadByteCount: fields.payloadByteCount, metadataByteCount: fields.metadataByteCount,
      theta: fields.theta, projection: fields.projection, rows: UInt32(fields.rows), columns: UInt32(fields.columns),
      pixel: fields.pixel, interval: fields.interval)
    header.payloadCRC32C = writeChecksums(header)
    return header
  }

  /// Writes the checksums of the bands into the slot; gives that of all of its content.
  @inline(__always)
  private func writeChecksums(_ header: EventHeader) -> UInt32 {
    let bands = header.bands, table = bands?.tableOffset ?? EventHeader.pageByteCount
    precondition(
      EventHeader.byteCount + header.metadataByteCount <= table,
      "event \(nextSequence): \(header.metadataByteCount) B of metadata reach into the table at \(table)")
    var checksum = ContentChecksum(
      bands,
      metadata: UnsafeRawBufferPointer(start: slot + EventHeader.byteCount, count: header.metadataByteCount))
    let slot = slot
    checksum.add(UnsafeRawBufferPointer(start: slot + EventHeader.pageByteCount, count: header.payloadByteCount)) {
      slot.storeBytes(of: $1.littleEndian, toByteOffset: table + 4 * $0, as: UInt32.self)
    }
    return checksum.value
  }

  /// Whether a committed slot may be the next one's: its own, one or more laps ago, or a spill slot.
  private func precedes(_ seen: TaggedWord) -> Bool {
    if ring.specification.whenFull != .spill { return seen.sequence + memory.slotCount == nextSequence }
    return seen.sequence < nextSequence && (isSpilling || (nextSequence - seen.sequence) % memory.slotCount == 0)
  }

  private var isSpilling: Bool { slot != memory.slot(nextSequence) }

  /// Makes the slot ours: committed → free → claimed, or void → claimed.
  private func take() throws(RingError) {
    precondition(!isClaimed, "event \(nextSequence) is claimed already")
    guard nextSequence < TaggedWord.sequenceLimit - 1 else { throw .exhausted(ring: ring.name, what: "sequences") }
    let word = memory.stamp(slot)
    var seen = TaggedWord(rawValue: word.pointee.load(ordering: .acquiring))
    if seen.slotState == .committed, precedes(seen) {
      let free = TaggedWord(nextSequence, epoch, .free)
      let (isMine, now) = word.pointee.compareExchange(
        expected: seen.rawValue, desired: free.rawValue, ordering: .sequentiallyConsistent)
      seen = isMine ? free : TaggedWord(rawValue: now)
    }
    // SYNC claim → grant: the slot was freed before the epoch is read. A writer that is stopped between this line and
    // the next finds its slot changed by `voidClaims`.
    guard memory.epochGranted.pointee.load(ordering: .sequentiallyConsistent) == epoch, seen.epoch <= epoch else {
      throw .fenced(ring: ring.name, epoch: epoch)
    }
    // A spill slot that nobody has is anybody's: it may be free or void since an earlier sequence.
    guard seen.sequence == nextSequence || isSpilling, seen.slotState == .free || seen.slotState == .void else {
      throw .damaged(
        ring: ring.name, sequence: nextSequence, reason: "its slot is stamped \(seen.slotState) for \(seen.sequence)")
    }
    let (isMine, _) = word.pointee.compareExchange(
      expected: seen.rawValue, desired: TaggedWord(nextSequence, epoch, .claimed).rawValue,
      ordering: .sequentiallyConsistent)
    guard isMine else { throw .fenced(ring: ring.name, epoch: epoch) }
    // SYNC claim → latest: an observer that sees any of the bytes stored from here on also sees that the stamp changed.
    atomicMemoryFence(ordering: .releasing)
  }

  /// Finds a slot for the next sequence where the ring's own may still be held.
  private func makeRoom(_ timeout: Duration) throws(RingError) {
    guard ring.specification.whenFull == .spill else { return try awaitRelease(timeout) }
    slot = memory.slot(nextSequence)
    var deadline: Deadline?
    while true {
      let count = memory.releasedBell.count
      if isOwnSlotReleased { return }
      if let spill = durableSpillSlot {
        slot = spill
        precondition(isSpilling, "event \(nextSequence) spills into its own slot, which readers hold")
        memory.spilled.pointee.add(1, ordering: .relaxed)
        return
      }
      let limit = deadline ?? Deadline(after: timeout)
      deadline = limit
      guard memory.epochGranted.pointee.load(ordering: .relaxed) == epoch else {
        throw .fenced(ring: ring.name, epoch: epoch)
      }
      if limit.hasPassed {
        throw .diskBehind(ring: ring.name, durable: memory.published.pointee.load(ordering: .relaxed), timeout: timeout)
      }
      // Two things may come, a lease and the disk, which rings no bell here.
      memory.releasedBell.sleep(since: count, atMost: min(limit.remaining, .microseconds(100)))
    }
  }

  /// Whether the next sequence's own slot is one that no required reader holds. After events that were spilled it may
  /// be several laps old.
  private var isOwnSlotReleased: Bool {
    freeKnown = releasedThrough
    let seen = TaggedWord(rawValue: memory.stamp(slot).pointee.load(ordering: .acquiring))
    return seen.slotState != .committed || seen.sequence < freeKnown
  }

  /// A spill slot of the next sequence without an event that is still on its way to disk.
  private var durableSpillSlot: UnsafeMutableRawPointer? {
    if let near = memory.nearSpillSlot(nextSequence), isDurable(near) { return near }
    if let far = memory.farSpillSlot(nextSequence), isDurable(far) { return far }
    return nil
  }

  /// The newest event stays: a successor goes on after it.
  private func isDurable(_ slot: UnsafeMutableRawPointer) -> Bool {
    let seen = TaggedWord(rawValue: memory.stamp(slot).pointee.load(ordering: .acquiring))
    guard seen.slotState == .committed else { return seen.slotState != .claimed }
    return seen.sequence < memory.published.pointee.load(ordering: .acquiring) && seen.sequence + 1 < nextSequence
  }

  /// Events below it are given back by every required reader, and published: what is not yet is still to be written to
  /// disk from its slot, also where no reader is required.
  private var releasedThrough: UInt64 {
    let lease = memory.lowestLease().lease
    if publishesAtCommit { return lease }
    // SYNC publish → claim: whoever made the event durable has read its slot before it published. Sequentially
    // consistent for the pair with `releaseWanted`.
    return min(lease, memory.published.pointee.load(ordering: .sequentiallyConsistent))
  }

  /// Waits until the slot of the next sequence is given back by every required reader, and its event published.
  private func awaitRelease(_ timeout: Duration) throws(RingError) {
    precondition(nextSequence >= memory.slotCount, "event \(nextSequence) waits in the first lap of the ring")
    let needed = nextSequence - memory.slotCount + 1
    if isReleased(needed) { return }
    if ring.specification.whenFull == .drop {
      throw .dropped(ring: ring.name, total: memory.dropped.pointee.add(1, ordering: .relaxed).newValue)
    }
    for _ in 0..<Self.spinLimit {
      spinPause()
      if isReleased(needed) { return }
    }
    let deadline = Deadline(after: timeout)
    // Being woken for a quarter of the ring at once costs a fraction of being woken for each slot. Readers that hold a
    // window may never give back so much, so this first sleep is short.
    try sleep(until: needed + memory.slotCount / 4, deadline: Deadline(after: min(timeout, .microseconds(200))))
    while !isReleased(needed) {
      if deadline.hasPassed { throw timeoutError(needed, timeout) }
      try sleep(until: needed, deadline: deadline)
    }
  }

  private func isReleased(_ needed: UInt64) -> Bool {
    freeKnown = releasedThrough
    return freeKnown >= needed
  }

  /// Who kept events below `needed` from being given back: a reader, or else the disk.
  private func timeoutError(_ needed: UInt64, _ timeout: Duration) -> RingError {
    let (lease, reader) = memory.lowestLease()
    guard let reader, lease < needed else {
      return .diskBehind(ring: ring.name, durable: memory.published.pointee.load(ordering: .relaxed), timeout: timeout)
    }
    return .timedOut(ring: ring.name, reader: reader, holding: lease, timeout: timeout)
  }

  /// Sleeps once, until everything below `wanted` is given back and published, or some other change.
  private func sleep(until wanted: UInt64, deadline: Deadline) throws(RingError) {
    precondition(wanted > 0, "to readers 0 says that the writer of \(nextSequence) does not sleep")
    guard memory.epochGranted.pointee.load(ordering: .relaxed) == epoch else {
      throw .fenced(ring: ring.name, epoch: epoch)
    }
    let count = memory.releasedBell.count
    // SYNC sleep → release, publish: sequentially consistent on both sides. Either this thread sees the lease and the
    // count, or the reader and who publishes see what is wanted.
    memory.releaseWanted.pointee.store(wanted, ordering: .sequentiallyConsistent)
    if !isReleased(wanted) { memory.releasedBell.sleep(since: count, atMost: deadline.remaining) }
    memory.releaseWanted.pointee.store(0, ordering: .relaxed)
  }

  /// The header of the newest committed event, nil if there is none. Every stamp is looked at: no counter in shared
  /// memory is trusted.
  private func lastCommitted() throws(RingError) -> EventHeader? {
    var last: (stamp: TaggedWord, slot: UnsafeMutableRawPointer)?
    for number in memory.slotNumbers {
      let slot = memory.slot(number: number)
      let stamp = TaggedWord(rawValue: memory.stamp(slot).pointee.load(ordering: .acquiring))
      if stamp.slotState == .claimed {
        throw .refused(
          ring: ring.name,
          reason: "event \(stamp.sequence) is still claimed by epoch \(stamp.epoch), which was not fenced")
      }
      if stamp.slotState == .committed, stamp.sequence >= last?.stamp.sequence ?? 0 { last = (stamp, slot) }
    }
    guard let last else { return nil }
    guard memory.committedSlot(last.stamp.sequence) == last.slot, last.stamp.sequence >= nextSequence else {
      throw .damaged(ring: ring.name, sequence: last.stamp.sequence, reason: "its slot belongs to another event")
    }
    return try ring.header(
      in: UnsafeRawBufferPointer(start: last.slot, count: EventHeader.byteCount), sequence: last.stamp.sequence,
      epoch: last.stamp.epoch)
  }

  @inline(__always)
  private func announce(_ count: UInt64) {
    // SYNC journal → committed: see `committedThrough`. The count only grows: a writer that was stopped between its
    // commit and here, and fenced, cannot take anything back from its successor.
    memory.committed.pointee.max(count, ordering: .releasing)
    if publishesAtCommit { memory.publish(through: count) }
  }
}

extension RingMemory {
  // SYNC publish → next, sleep: sequentially consistent on both sides. Either the reader sees the new count before it
  // sleeps, or this thread sees that it sleeps. The count only grows, so a writer that was stopped between commit and
  // here cannot take anything back.
  @inline(__always)
  fileprivate func publish(through count: UInt64) {
    published.pointee.max(count, ordering: .sequentiallyConsistent)
    if readersAsleep.pointee.load(ordering: .sequentiallyConsistent) != 0 {
      readersAsleep.pointee.store(0, ordering: .sequentiallyConsistent)
      publishedBell.ring()
    }
  }
}
