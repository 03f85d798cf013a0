internal import Host
internal import Synchronization

/// Where things are in a ring's region.
///
///      0 ┌───────────────────────────────────────────┐
///        │ ready u64, geometry: never changes again  │  RingGeometry
///    128 │ published      u64   sequences below it may be read
///    256 │ committed      u64   sequences below it are committed
///    384 │ epochGranted   u64   the writer's epoch
///    512 │ publishedBell  u32   futex word of readers · 516 readersAsleep u32
///    640 │ releasedBell   u32   futex word of the writer · 648 releaseWanted u64 (0: the writer does not sleep)
///    768 │ dropped        u64   events that did not fit (`WhenFull.drop`)
///    896 │ spilled        u64   events that took a spill slot (`WhenFull.spill`)
///        │ zeros                                     │
///   4096 ├───────────────────────────────────────────┤  reader i at 4096 + 128 i
///        │ lease          u64   {lease, owner epoch, ReaderState}
///        │ cursor         u64   {cursor, owner epoch, 0}
///        │ …                                         │
///   8192 ├───────────────────────────────────────────┤  slot of sequence s at 8192 + stride · (s mod slotCount)
///        │ stamp u64, header: 128 B                  │  EventHeader
///        │ metadata: ≤ 3968 B                        │
///        │ payload, padded to 4096 B                 │
///        ├───────────────────────────────────────────┤  spill slot i is slot number slotCount + i
///        │ …                                         │
///        └───────────────────────────────────────────┘
enum RingLayout {
  static let lineByteCount = 128
  static let readersOffset = 4096
  static let headerByteCount = 8192
}

/// The words and the slots of a mapped ring, for as long as its `Ring` lives. The geometry is this process's own,
/// checked copy. There are only plain values in it, so that using it counts no references.
struct RingMemory: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  let slotCount: UInt64
  let spillSlotCount: UInt64
  let slotStride: Int
  let requiredReaders: Int

  init(region: SharedRegion, specification: RingSpecification) {
    let lineEnd = RingLayout.readersOffset + RingLayout.lineByteCount * RingSpecification.readerLimit
    precondition(
      lineEnd <= RingLayout.headerByteCount, "the readers' lines end at \(lineEnd), the slots begin before")
    precondition(
      region.byteCount == specification.regionByteCount,
      "region \(region.name) has \(region.byteCount) B, its geometry needs \(specification.regionByteCount ?? -1)")
    precondition(
      specification.slotStride % EventHeader.pageByteCount == 0, "slots \(specification.slotStride) B apart")
    base = region.base
    slotCount = UInt64(specification.slotCount)
    spillSlotCount = UInt64(specification.spillSlotCount)
    slotStride = specification.slotStride
    requiredReaders = specification.requiredReaders
  }

  // Sound, here and below: the offset is aligned and inside the region, whose size was checked against the geometry,
  // and every process uses these words as atomics only.
  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition(offset % 8 == 0 && offset + 8 <= RingLayout.headerByteCount, "a word at \(offset)")
    return (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  private func halfWord(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    precondition(offset % 4 == 0 && offset + 4 <= RingLayout.readersOffset, "a half word at \(offset)")
    return (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  var ready: UnsafeMutablePointer<Atomic<UInt64>> { word(0) }
  var published: UnsafeMutablePointer<Atomic<UInt64>> { word(128) }
  var committed: UnsafeMutablePointer<Atomic<UInt64>> { word(256) }
  var epochGranted: UnsafeMutablePointer<Atomic<UInt64>> { word(384) }
  var publishedBell: Bell { Bell(word: halfWord(512)) }
  var readersAsleep: UnsafeMutablePointer<Atomic<UInt32>> { halfWord(516) }
  var releasedBell: Bell { Bell(word: halfWord(640)) }
  var releaseWanted: UnsafeMutablePointer<Atomic<UInt64>> { word(648) }
  var dropped: UnsafeMutablePointer<Atomic<UInt64>> { word(768) }
  var spilled: UnsafeMutablePointer<Atomic<UInt64>> { word(896) }

  func lease(_ reader: Int) -> UnsafeMutablePointer<Atomic<UInt64>> { word(line(reader)) }

  func cursor(_ reader: Int) -> UnsafeMutablePointer<Atomic<UInt64>> { word(line(reader) + 8) }

  private func line(_ reader: Int) -> Int {
    precondition((0..<requiredReaders).contains(reader), "the line of reader \(reader) of \(requiredReaders)")
    return RingLayout.readersOffset + RingLayout.lineByteCount * reader
  }

  /// The slot of a sequence in the ring proper.
  func slot(_ sequence: UInt64) -> UnsafeMutableRawPointer { slot(number: sequence % slotCount) }

  /// A slot by its place: the ring's own, then the spill slots.
  func slot(number: UInt64) -> UnsafeMutableRawPointer {
    precondition(number < slotCount + spillSlotCount, "slot \(number) of \(slotCount) and \(spillSlotCount)")
    return base + (RingLayout.headerByteCount + slotStride * Int(number))
  }

  /// The numbers of all slots.
  var slotNumbers: Range<UInt64> { 0..<slotCount + spillSlotCount }

  /// The numbers of the spill slots.
  var spillSlotNumbers: Range<UInt64> { slotCount..<slotCount + spillSlotCount }

  /// The first spill slots: enough for what is on its way to a disk that keeps up, so that the same memory is used
  /// again and again. The others are for one that is behind.
  private var nearCount: UInt64 { min(spillSlotCount, max(4, min(128, (64 << 20) / UInt64(slotStride)))) }

  /// The first spill slot to look at for a sequence; nil in a ring that has none.
  func nearSpillSlot(_ sequence: UInt64) -> UnsafeMutableRawPointer? {
    spillSlotCount > 0 ? slot(number: slotCount + sequence % nearCount) : nil
  }

  /// The one other spill slot that a sequence may take; nil where all are near.
  func farSpillSlot(_ sequence: UInt64) -> UnsafeMutableRawPointer? {
    let near = nearCount
    return spillSlotCount > near ? slot(number: slotCount + near + sequence % (spillSlotCount - near)) : nil
  }

  /// The slot that holds the committed event `sequence`: its own or a spill slot; nil if none does.
  func committedSlot(_ sequence: UInt64) -> UnsafeMutableRawPointer? {
    if isCommitted(sequence, in: slot(sequence)) { return slot(sequence) }
    if let near = nearSpillSlot(sequence), isCommitted(sequence, in: near) { return near }
    if let far = farSpillSlot(sequence), isCommitted(sequence, in: far) { return far }
    return nil
  }

  private func isCommitted(_ sequence: UInt64, in slot: UnsafeMutableRawPointer) -> Bool {
    // SYNC find → commit: the stamp is read before what it vouches for.
    let stamp = TaggedWord(rawValue: stamp(slot).pointee.load(ordering: .acquiring))
    return stamp.slotState == .committed && stamp.sequence == sequence
  }

  func stamp(_ slot: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt64>> {
    slot.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// The lowest lease of the required readers that have not finished, and whose it is. Where there is none, or all
  /// have: what is published, for nothing else is anywhere but in its slot.
  func lowestLease() -> (lease: UInt64, reader: Int?) {
    // SYNC publish → writer's claim: what was published is on disk, or was never to be.
    var lowest: (lease: UInt64, reader: Int?) = (published.pointee.load(ordering: .acquiring), nil)
    for reader in 0..<requiredReaders {
      // SYNC reader's lease → writer's claim: what the reader read from the slot was read before the slot is filled
      // again. Sequentially consistent for the pair with `releaseWanted`.
      let stamp = TaggedWord(rawValue: lease(reader).pointee.load(ordering: .sequentiallyConsistent))
      if stamp.readerState != .finished, stamp.sequence < lowest.lease { lowest = (stamp.sequence, reader) }
    }
    return lowest
  }

  /// Wakes the writer where every lease is as far as it waits for. To be called when a lease was moved.
  func wakeWriter() {
    // SYNC release → sleep: the lease was moved before this is read. Of several readers, the last one sees that all are
    // far enough.
    let wanted = releaseWanted.pointee.load(ordering: .sequentiallyConsistent)
    if wanted != 0, lowestLease().lease >= wanted {
      releaseWanted.pointee.store(0, ordering: .sequentiallyConsistent)
      releasedBell.ring()
    }
  }
}

/// A futex word that is rung by counting it up.
struct Bell {
  let word: UnsafeMutablePointer<Atomic<UInt32>>

  /// What to pass to `sleep`: read before the condition is checked for the last time.
  var count: UInt32 { word.pointee.load(ordering: .sequentiallyConsistent) }

  /// Sleeps until the bell has rung since `count` was read. A ring may be missed where memory was overwritten, so a
  /// sleep is short and the caller checks its condition in a loop.
  func sleep(since count: UInt32, atMost timeout: Duration) {
    Futex.wait(on: raw, while: count, timeout: min(timeout, .milliseconds(100)))
  }

  func ring() {
    word.pointee.add(1, ordering: .sequentiallyConsistent)
    Futex.wake(raw)
  }

  // Sound: an atomic word has the layout of the word; the kernel reads it atomically.
  private var raw: UnsafeMutablePointer<UInt32> { UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self) }
}
