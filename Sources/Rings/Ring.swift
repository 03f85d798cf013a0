internal import Host
internal import Synchronization

/// A ring of events in shared memory: one writer, up to 32 required readers, any number of observers.
///
/// This is the mapping, and the creator's side of it: epochs and fencing. `RingWriter`, `RingReader` and `RingObserver`
/// work on it.
package final class Ring: Sendable {
  /// The region's name in /dev/shm.
  package let name: String
  /// What the ring was made for: this process's own, checked copy.
  package let specification: RingSpecification
  let memory: RingMemory
  private let region: SharedRegion

  private init(region: SharedRegion, specification: RingSpecification) {
    self.region = region
    name = region.name
    self.specification = specification
    memory = RingMemory(region: region, specification: specification)
  }

  /// Makes a ring; its region is taken from NUMA node `node` where the machine has several. Every required reader is
  /// awaited from now on.
  ///
  /// Throws `.refused` for a specification beyond the limits, and `.host` where the region cannot be made.
  package static func create(name: String, specification: RingSpecification, node: Int? = nil) throws(RingError) -> Ring
  {
    guard let byteCount = specification.regionByteCount else {
      throw .refused(
        ring: name,
        reason: "\(specification.slotCount) slots of \(specification.payloadCapacity) bytes are beyond the limits")
    }
    let ring: Ring
    do throws(HostError) {
      ring = Ring(
        region: try SharedRegion.create(name: name, byteCount: byteCount, node: node), specification: specification)
    } catch {
      throw .host(error)
    }
    ring.initialize()
    return ring
  }

  /// Maps a ring that another process made, after checking that it is what `identity` names and that its header fits
  /// its size.
  package static func attach(name: String, expecting identity: RingIdentity) throws(RingError) -> Ring {
    let region: SharedRegion
    do throws(HostError) { region = try SharedRegion.attach(name: name) } catch { throw .host(error) }
    guard region.byteCount >= RingLayout.headerByteCount else {
      throw .refused(ring: name, reason: "it is too short for a ring")
    }
    // SYNC attach → create: `ready` is read before what it vouches for. The words are copied once and only the copy is
    // used.
    let ready = region.base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring)
    var words = EventHeader.Words(repeating: 0)
    words[0] = ready
    for index in 1..<16 { words[index] = region.base.load(fromByteOffset: 8 * index, as: UInt64.self) }
    switch RingGeometry.read(&words, regionByteCount: region.byteCount) {
    case .failure(let refusal): throw .refused(ring: name, reason: refusal.reason)
    case .success(let specification):
      guard specification.identity == identity else {
        throw .refused(ring: name, reason: "it carries \(specification.identity), not \(identity)")
      }
      return Ring(region: region, specification: specification)
    }
  }

  /// Removes the name of a ring; whoever has it mapped keeps it.
  package static func unlink(name: String) throws(RingError) {
    do throws(HostError) { try SharedRegion.unlink(name: name) } catch { throw .host(error) }
  }

  /// All memory of the ring, for pinning. Its bytes belong to every process that attached.
  package var mapping: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: region.base, count: region.byteCount) }

  /// Ends the present writer's epoch and returns the next one, for the next writer.
  package func grantEpoch() throws(RingError) -> UInt64 {
    let last = memory.epochGranted.pointee.load(ordering: .relaxed)
    guard last < TaggedWord.epochLimit - 1 else { throw .exhausted(ring: name, what: "epochs") }
    // SYNC grant → claim: sequentially consistent on both sides. Either a stale writer sees this epoch before it
    // claims, or the slot that it freed for its claim is seen by `voidClaims`, which takes it away.
    let (isMine, _) = memory.epochGranted.pointee.compareExchange(
      expected: last, desired: last + 1, ordering: .sequentiallyConsistent)
    guard isMine else { throw .refused(ring: name, reason: "two supervisors grant epochs at the same time") }
    return last + 1
  }

  /// The third step of fencing, after the dead writer was reaped (or was stopped for good) and the next epoch was
  /// granted: takes every slot that epoch `dead` or an earlier one claimed or might still claim. Its commit fails from
  /// now on. Returns how many claims became void.
  @discardableResult
  package func voidClaims(ofEpoch dead: UInt64) throws(RingError) -> Int {
    let granted = memory.epochGranted.pointee.load(ordering: .sequentiallyConsistent)
    guard granted > dead, granted < TaggedWord.epochLimit else {
      throw .refused(ring: name, reason: "epoch \(dead) has not ended")
    }
    var count = 0
    for number in memory.slotNumbers where fence(memory.stamp(memory.slot(number: number)), epoch: granted) {
      count += 1
    }
    return count
  }

  /// Moves a slot that is not committed to `epoch`; returns whether it was claimed by an earlier one.
  private func fence(_ word: UnsafeMutablePointer<Atomic<UInt64>>, epoch: UInt64) -> Bool {
    var seen = TaggedWord(rawValue: word.pointee.load(ordering: .sequentiallyConsistent))
    // A writer that still runs moves a slot at most from committed to free to claimed to committed.
    for _ in 0..<4 {
      guard seen.slotState != .committed, seen.epoch < epoch else { return false }
      let fenced = TaggedWord(seen.sequence, epoch, seen.slotState == .free ? .free : .void)
      // SYNC fence → commit: one of the two compare-and-swaps on this word wins, and the other sees it.
      let (isMine, now) = word.pointee.compareExchange(
        expected: seen.rawValue, desired: fenced.rawValue, ordering: .sequentiallyConsistent)
      if isMine { return seen.slotState == .claimed }
      seen = TaggedWord(rawValue: now)
    }
    return false
  }

  private func initialize() {
    let specification = specification
    let words = RingGeometry.words(specification, regionByteCount: region.byteCount)
    for index in 1..<16 { region.base.storeBytes(of: words[index], toByteOffset: 8 * index, as: UInt64.self) }
    let first = specification.firstSequence
    memory.published.pointee.store(first, ordering: .relaxed)
    memory.committed.pointee.store(first, ordering: .relaxed)
    memory.epochGranted.pointee.store(specification.firstEpoch, ordering: .relaxed)
    for reader in 0..<specification.requiredReaders {
      memory.lease(reader).pointee.store(TaggedWord(first, 0, .awaited).rawValue, ordering: .relaxed)
      memory.cursor(reader).pointee.store(TaggedWord(first, 0, state: 0).rawValue, ordering: .relaxed)
    }
    for sequence in first..<first + memory.slotCount {
      memory.stamp(memory.slot(sequence)).pointee.store(TaggedWord(sequence, 0, .free).rawValue, ordering: .relaxed)
    }
    for number in memory.spillSlotNumbers {
      memory.stamp(memory.slot(number: number)).pointee.store(TaggedWord(first, 0, .free).rawValue, ordering: .relaxed)
    }
    // SYNC create → attach: everything above is written before `ready`.
    memory.ready.pointee.store(RingGeometry.ready, ordering: .releasing)
  }
}

/// How far a ring is, for displays and messages.
package struct RingProgress: Sendable, Equatable {
  /// Sequences below this may be read.
  package var published: UInt64
  /// Sequences below this are committed.
  package var committed: UInt64
  /// The newest epoch that was granted to a writer; 0 before the first.
  package var epoch: UInt64
  /// Events that did not fit (`WhenFull.drop`).
  package var dropped: UInt64
  /// Events that the ring had no room for and that are on disk only (`WhenFull.spill`).
  package var spilled: UInt64
  /// The cursor of each required reader, the next sequence that it will apply; nil for one that has finished.
  package var cursors: [UInt64?]
}

extension Ring {
  /// The next event that required reader `reader` will apply; nil for one that has finished.
  package func cursor(ofReader reader: Int) -> UInt64? {
    precondition(
      (0..<specification.requiredReaders).contains(reader), "reader \(reader) of \(specification.requiredReaders)")
    let lease = TaggedWord(rawValue: memory.lease(reader).pointee.load(ordering: .relaxed))
    let cursor = TaggedWord(rawValue: memory.cursor(reader).pointee.load(ordering: .relaxed))
    return lease.readerState == .finished ? nil : cursor.sequence
  }

  /// How far the writer and the readers are. The figures are read one after the other while they go on.
  package var progress: RingProgress {
    RingProgress(
      published: memory.published.pointee.load(ordering: .relaxed),
      committed: memory.committed.pointee.load(ordering: .relaxed),
      epoch: memory.epochGranted.pointee.load(ordering: .relaxed),
      dropped: memory.dropped.pointee.load(ordering: .relaxed),
      spilled: memory.spilled.pointee.load(ordering: .relaxed),
      cursors: (0..<specification.requiredReaders).map(cursor(ofReader:)))
  }
}
