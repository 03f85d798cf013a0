internal import Host
internal import Synchronization

/// One of the required readers of a ring, for as long as nobody else takes its line. Use from one thread at a time.
///
/// The **cursor** is the next sequence that the reader will apply; the **lease** is the oldest one that it may still
/// read. The writer reuses no slot at or above the lease. Both are in shared memory and survive the reader: its
/// successor goes on there.
///
///     … published events …
///     ───────┬────────────────────────┬──────────┬────────────────►  sequence
///          lease                   cursor     position   published
///            └── readable by event(at:) ──────────────────┘
package final class RingReader {
  /// The ring.
  let ring: Ring
  /// Which of the required readers this is.
  let reader: Int
  /// The incarnation of the reader.
  let epoch: UInt64
  /// The sequence that `next` looks for.
  @exclusivity(unchecked) package private(set) var position: UInt64
  /// The next sequence to be applied: events below it were released.
  @exclusivity(unchecked) package private(set) var cursor: UInt64
  /// The oldest sequence that this reader may still read.
  @exclusivity(unchecked) package private(set) var lease: UInt64
  /// Calls of `release` for events that had been released already, as after going back to an older position: dropped.
  @exclusivity(unchecked) package private(set) var duplicates: UInt64 = 0
  private static let spinLimit = 100
  private let memory: RingMemory
  // Sound, here and above: no access to these lasts longer than a load or a store.
  @exclusivity(unchecked) private var held: UInt64?
  @exclusivity(unchecked) private var publishedKnown: UInt64 = 0

  /// Takes the line of required reader number `reader`, from its last owner if there was one, whose calls throw
  /// `.fenced` from then on.
  ///
  /// Reading starts at the cursor, or at `position` where the reader knows from its own durable state that it applied
  /// less. What the last owner held stays held. Throws `.gap` if `position` is below the lease, `.refused` for a line
  /// that the ring does not have or whose reader has finished.
  package init(ring: Ring, reader: Int, from position: UInt64? = nil) throws(RingError) {
    self.ring = ring
    self.reader = reader
    memory = ring.memory
    guard (0..<ring.specification.requiredReaders).contains(reader) else {
      throw .refused(
        ring: ring.name, reason: "it has \(ring.specification.requiredReaders) readers and no reader \(reader)")
    }
    (epoch, lease) = try Self.takeLease(ring, reader)
    cursor = try Self.takeCursor(ring, reader, epoch: epoch)
    guard lease <= cursor, lease >= ring.specification.firstSequence else {
      throw .damaged(ring: ring.name, sequence: cursor, reason: "the lease of reader \(reader) is \(lease)")
    }
    self.position = position ?? cursor
    if lease < cursor { held = lease }
    if self.position < lease { throw .gap(ring: ring.name, expected: self.position, found: lease) }
    if self.position > cursor { throw .notPublished(ring: ring.name, sequence: self.position) }
  }

  /// The event at `position`, which then moves on; nil if it is not published before `timeout`.
  ///
  /// Throws `.spilled` where the ring had no room for the event, `.damaged` for anything in the slot that its writer
  /// did not leave there, and `.gap` if it holds a later event.
  package func next(timeout: Duration) throws(RingError) -> Event? {
    guard try awaitPublished(position, timeout) else { return nil }
    let event = try read(position)
    position += 1
    return event
  }

  /// Moves on past the event at `position`, which is read elsewhere.
  package func pass() {
    precondition(isPublished(position), "event \(position) was never seen published")
    position += 1
  }

  /// The same, to an event of which all before were applied.
  package func pass(to sequence: UInt64) {
    precondition(sequence == 0 || isPublished(sequence - 1), "event \(sequence) is behind what was published")
    position = max(position, sequence)
  }

  /// Sequences below it are published.
  package var publishedThrough: UInt64 {
    publishedKnown = max(publishedKnown, memory.published.pointee.load(ordering: .acquiring))
    return publishedKnown
  }

  /// The event of any sequence from the lease to the last one published. Throws `.gap` below, `.notPublished` above,
  /// otherwise as `next`.
  package func event(at sequence: UInt64) throws(RingError) -> Event {
    if sequence < lease { throw .gap(ring: ring.name, expected: sequence, found: lease) }
    guard isPublished(sequence) else { throw .notPublished(ring: ring.name, sequence: sequence) }
    try requireOwnership()
    return try read(sequence)
  }

  /// The header of an event that was spilled, while its spill slot is not used again; nil afterwards. For who needs no
  /// more than that: the spill slot may be filled anew at any time.
  package func spilledHeader(at sequence: UInt64) -> EventHeader? {
    guard isPublished(sequence), let slot = memory.committedSlot(sequence) else { return nil }
    let word = memory.stamp(slot)
    // SYNC spilledHeader → commit: the stamp is read before what it vouches for.
    let stamp = TaggedWord(rawValue: word.pointee.load(ordering: .acquiring))
    guard stamp.slotState == .committed, stamp.sequence == sequence else { return nil }
    let header = try? ring.header(
      in: UnsafeRawBufferPointer(start: slot, count: EventHeader.byteCount), sequence: sequence, epoch: stamp.epoch)
    // SYNC spilledHeader → claim: as an observer does, see `RingObserver.event`.
    atomicMemoryFence(ordering: .acquiring)
    return word.pointee.load(ordering: .relaxed) == stamp.rawValue ? header : nil
  }

  /// Copies bytes of a slot below the lease, which the writer may fill anew at any time; false where the ring does not
  /// have the event any more. What was copied is checked by who asked for it.
  package func copySlot(of sequence: UInt64, _ range: Range<Int>, into target: UnsafeMutableRawBufferPointer) -> Bool {
    isPublished(sequence) && ring.copySlot(of: sequence, range, into: target)
  }

  /// The header in a copy of a slot's page (`copySlot`); nil where it is not the event's.
  package func header(in page: UnsafeRawBufferPointer, of sequence: UInt64) -> EventHeader? {
    ring.header(in: page, of: sequence)
  }

  /// Reads all bytes of the event, or with `rows` the bands of an image that hold these, and throws `.damaged` if they
  /// differ from what the writer checksummed.
  package func verifyPayload(_ event: Event, rows: Range<Int>? = nil) throws(RingError) {
    precondition(
      event.header.identity == ring.specification.identity,
      "an event of \(event.header.identity) in \(ring.specification.identity)")
    guard event.isIntact(rows: rows) else {
      throw .damaged(ring: ring.name, sequence: event.header.sequence, reason: "the checksum of its payload is wrong")
    }
  }

  /// Says that every event below `sequence` was applied: moves the cursor there, and the lease unless `hold` keeps it
  /// back. The events below the lease must not be used any more. Where the cursor is there or further already, this is
  /// a duplicate: counted, and nothing changes.
  package func release(upTo sequence: UInt64) throws(RingError) {
    // A predecessor may have read what this reader has not asked for.
    precondition(sequence <= position || isPublished(sequence - 1), "event \(sequence - 1) was never published")
    position = max(position, sequence)
    guard sequence > cursor else {
      duplicates += 1
      return
    }
    // The cursor moves first: a reader that dies in between leaves a lease that is too low, never one above the cursor.
    try swap(memory.cursor(reader), TaggedWord(cursor, epoch, state: 0), TaggedWord(sequence, epoch, state: 0))
    cursor = sequence
    try moveLease(to: min(held ?? cursor, cursor))
    precondition(
      lease <= cursor && cursor <= position, "reader \(reader): lease \(lease), cursor \(cursor), position \(position)")
  }

  /// Keeps events from `sequence` on readable though the cursor passes them, until `hold` is called with a later one;
  /// nil gives back all that was released. What was given back already cannot be held again: throws `.gap` below the
  /// lease.
  package func hold(from sequence: UInt64?) throws(RingError) {
    if let sequence, sequence < lease { throw .gap(ring: ring.name, expected: sequence, found: lease) }
    held = sequence
    try moveLease(to: min(sequence ?? cursor, cursor))
  }

  private func moveLease(to sequence: UInt64) throws(RingError) {
    precondition(sequence <= cursor, "reader \(reader): the lease passes the cursor at \(cursor) to \(sequence)")
    guard sequence > lease else { return }
    try swap(memory.lease(reader), TaggedWord(lease, epoch, .attached), TaggedWord(sequence, epoch, .attached))
    lease = sequence
    memory.wakeWriter()
  }

  /// Changes a word of this reader's line. The owner's epoch is in the word, so a successor's words are never
  /// overwritten.
  private func swap(_ word: UnsafeMutablePointer<Atomic<UInt64>>, _ old: TaggedWord, _ new: TaggedWord)
    throws(RingError)
  {
    precondition(
      new.sequence >= old.sequence && new.epoch == epoch && old.epoch == epoch,
      "reader \(reader) of epoch \(epoch): \(old.sequence) of \(old.epoch) to \(new.sequence) of \(new.epoch)")
    // SYNC release → claim: what was read from the slots was read before the writer sees the lease pass them.
    let (isMine, _) = word.pointee.compareExchange(
      expected: old.rawValue, desired: new.rawValue, ordering: .sequentiallyConsistent)
    guard isMine else { throw .fenced(ring: ring.name, epoch: epoch) }
  }

  private func isPublished(_ sequence: UInt64) -> Bool {
    if sequence < publishedKnown { return true }
    // SYNC next → publish: sequentially consistent for the pair with `readersAsleep`.
    publishedKnown = max(publishedKnown, memory.published.pointee.load(ordering: .sequentiallyConsistent))
    return sequence < publishedKnown
  }

  private func awaitPublished(_ sequence: UInt64, _ timeout: Duration) throws(RingError) -> Bool {
    try requireOwnership()
    if isPublished(sequence) { return true }
    if timeout <= .zero { return false }
    for _ in 0..<Self.spinLimit {
      spinPause()
      if isPublished(sequence) { return true }
    }
    let deadline = Deadline(after: timeout)
    while true {
      let count = memory.publishedBell.count
      memory.readersAsleep.pointee.store(1, ordering: .sequentiallyConsistent)
      if isPublished(sequence) { return true }
      if deadline.hasPassed { return false }
      memory.publishedBell.sleep(since: count, atMost: deadline.remaining)
      try requireOwnership()
    }
  }

  private func requireOwnership() throws(RingError) {
    let word = memory.lease(reader).pointee.load(ordering: .relaxed)
    guard word == TaggedWord(lease, epoch, .attached).rawValue else { throw .fenced(ring: ring.name, epoch: epoch) }
  }

  private func read(_ sequence: UInt64) throws(RingError) -> Event {
    precondition(sequence >= lease, "event \(sequence) was given back, reader \(reader) holds from \(lease)")
    let slot = memory.slot(sequence)
    // SYNC next → commit: the stamp is read before what it vouches for.
    let stamp = TaggedWord(rawValue: memory.stamp(slot).pointee.load(ordering: .acquiring))
    guard stamp.slotState == .committed, stamp.sequence == sequence else {
      // Whatever the slot holds instead: what was published is on disk.
      if ring.specification.whenFull == .spill { throw .spilled(ring: ring.name, sequence: sequence) }
      if stamp.slotState == .committed, stamp.sequence > sequence {
        throw .gap(ring: ring.name, expected: sequence, found: stamp.sequence)
      }
      throw .damaged(
        ring: ring.name, sequence: sequence, reason: "its slot is stamped \(stamp.slotState) for \(stamp.sequence)")
    }
    let header = try ring.header(
      in: UnsafeRawBufferPointer(start: slot, count: EventHeader.byteCount), sequence: sequence, epoch: stamp.epoch)
    let event = Event(header: header, slot: slot)
    if event.payload.isEmpty { try verifyPayload(event) }
    return event
  }
}

// Taking a line: the lease's word decides whose it is, the cursor's follows.
extension RingReader {
  private static let attemptLimit = 1000

  private static func takeLease(_ ring: Ring, _ reader: Int) throws(RingError) -> (epoch: UInt64, lease: UInt64) {
    let word = ring.memory.lease(reader)
    for _ in 0..<attemptLimit {
      let seen = TaggedWord(rawValue: word.pointee.load(ordering: .acquiring))
      switch seen.readerState {
      case .unused:
        throw .damaged(ring: ring.name, sequence: seen.sequence, reason: "the line of reader \(reader) is not in use")
      case .finished: throw .refused(ring: ring.name, reason: "reader \(reader) has finished")
      case .awaited, .attached: break
      }
      guard seen.epoch < TaggedWord.epochLimit - 1 else {
        throw .exhausted(ring: ring.name, what: "epochs for reader \(reader)")
      }
      let taken = TaggedWord(seen.sequence, seen.epoch + 1, .attached)
      // SYNC take → release: the last owner's next compare-and-swap on this word fails.
      if word.pointee.compareExchange(
        expected: seen.rawValue, desired: taken.rawValue, ordering: .sequentiallyConsistent
      ).exchanged {
        return (taken.epoch, taken.sequence)
      }
    }
    throw .refused(ring: ring.name, reason: "several processes take the line of reader \(reader) at the same time")
  }

  private static func takeCursor(_ ring: Ring, _ reader: Int, epoch: UInt64) throws(RingError) -> UInt64 {
    let word = ring.memory.cursor(reader)
    for _ in 0..<attemptLimit {
      let seen = TaggedWord(rawValue: word.pointee.load(ordering: .acquiring))
      guard seen.epoch < epoch else { throw .fenced(ring: ring.name, epoch: epoch) }
      let taken = TaggedWord(seen.sequence, epoch, state: 0)
      if word.pointee.compareExchange(
        expected: seen.rawValue, desired: taken.rawValue, ordering: .sequentiallyConsistent
      ).exchanged {
        return seen.sequence
      }
    }
    throw .refused(ring: ring.name, reason: "several processes take the line of reader \(reader) at the same time")
  }
}
