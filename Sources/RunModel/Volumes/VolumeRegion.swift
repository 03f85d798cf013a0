import CLinux
package import Host
package import KernelTypes
package import Rings
import Synchronization

/// A worker's volume in shared memory, in three generations of the solver's own layout: the newest complete one, the
/// one that is being written, and one that a reader may be saving.
///
/// ```
/// header page
///    0  magic u32 "SLPV", layout u32      8  runID 16 B       24  partition u32, rows u32
///   32  columns u32, lanes u16, 1 where generations may lie on a coarse grid u8, rows and columns that become one of a
///       window's generation, 0 for 1 u8
///   40  generation bytes u64                                                      48  CRC32C of bytes 0–47
///  128  newest u64 atomic: cursor << 2 | slot
///  136  swept u64 atomic: generation << 18 | blocks << 2 | slot, see VolumeRegion-final
///  144  suspect u64: generation that came out as no number << 2 | attempts, see VolumeRegion-checksums
///  256, 384, 512  for slots 0, 1, 2: generation number u64, the update that made it (112 B, see UpdateEvent), CRC32C
///                 of both and of the checksums of the slot's pieces where these are known, otherwise its complement
///  640, 768       the update that completed the last swept block, of an even and of an odd number of blocks, CRC32C of
///                 the word at 136, the update, and the checksums of these blocks' pieces
/// 4096  slot 0, then 1 and 2: generation bytes each, a multiple of 4096
///  end  for slots 0, 1, 2: CRC32C u32 of each piece of each block (up to 1 MiB), to a multiple of 4096
/// ```
///
/// An update reads the newest generation, writes another slot, and flips `newest` with one atomic store, which also
/// carries the cursor: volume and cursor can never disagree. The update is kept beside its generation, so that a worker
/// that died before it could report it leaves the report to its successor.
///
/// Where updates are made of binned projections (`live`), generations of windows are smaller volumes, each at the start
/// of its slot; with `coarse` some are of half the columns and rows of those; the update beside it says which kind a
/// generation is. Generation 0, all zeros, is of the smaller ones.
package final class VolumeRegion: @unchecked Sendable {
  /// A complete generation.
  package struct Generation: Sendable {
    /// Counts the published generations of the run; the zero volume is number 0.
    package let number: UInt64
    /// The next order to apply to it.
    package let cursor: UInt64
    /// Its first byte; `layout.volumeByteCount` bytes, valid as long as the region object lives.
    package nonisolated(unsafe) let base: UnsafeRawPointer
    let slot: Int
  }

  /// How slices lie in a generation of the final iterations, and in all others unless `live` is there.
  package let layout: SliceLayout
  /// How they lie in all others, where their updates are made of binned projections.
  package let live: LiveLayout?
  /// How they lie on a coarse grid; nil where none do.
  let coarse: LiveLayout?
  let region: SharedRegion
  /// The slot that is being saved; of this process only.
  private var pinned: Int?
  /// The slot of a sealed generation, which stays until another one is sealed; of this process only.
  private var anchor: Int?

  private static let magic: UInt32 = 0x5650_4C53
  /// That of a region without a coarse grid, and of one with it: who reads the first alone does not read the second.
  private static let (layoutVersion, coarseLayoutVersion) = (UInt32(4), UInt32(5))
  static let slotCount = 3
  private static let headerByteCount = 4096
  private static let checkedByteCount = 48
  private static let newestOffset = 128
  static let finalUpdateOffset = 640
  static let recordStride = 128
  /// Number, update and checksum.
  private static let recordByteCount = 8 + UpdateEvent.byteCount + 4
  private static let attemptLimit = 4

  private init(region: SharedRegion, layout: SliceLayout, live: LiveLayout?, coarse: LiveLayout?) {
    let recordEnd = Self.recordOffset(ofSlot: Self.slotCount - 1) + Self.recordByteCount
    precondition(
      recordEnd <= Self.finalUpdateOffset && Self.recordByteCount <= Self.recordStride,
      "the records of generations end at \(recordEnd), those of blocks begin at \(Self.finalUpdateOffset)")
    precondition(
      Self.finalUpdateOffset + 2 * Self.recordStride <= Self.headerByteCount, "the records do not fit the header page")
    precondition(
      region.byteCount == Self.byteCount(layout) && layout.volumeByteCount % Self.headerByteCount == 0,
      "region \(region.name) of \(region.byteCount) B for generations of \(layout.volumeByteCount) B")
    for smaller in [live, coarse].compactMap(\.?.layout) {
      precondition(
        smaller.volumeByteCount <= layout.volumeByteCount && Self.pieceCount(smaller) <= Self.pieceCount(layout),
        "binned generations of \(smaller.volumeByteCount) B in slots of \(layout.volumeByteCount) B")
    }
    self.region = region
    self.layout = layout
    (self.live, self.coarse) = (live, coarse)
  }

  /// Bytes of the region for a volume of this layout.
  package static func byteCount(_ layout: SliceLayout) -> Int { checksumOffset(layout) + checksumByteCount(layout) }

  /// Where the checksums of pieces begin.
  static func checksumOffset(_ layout: SliceLayout) -> Int { headerByteCount + slotCount * layout.volumeByteCount }

  /// Creates the region with a volume of zeros as generation 0. Its memory comes from NUMA node `node` where one is
  /// given.
  package static func create(
    name: String, runID: RunID, partition: Int, layout: SliceLayout, live: LiveLayout? = nil, coarse: LiveLayout? = nil,
    node: Int?
  ) throws(HostError) -> VolumeRegion {
    let region = try SharedRegion.create(name: name, byteCount: byteCount(layout), node: node, hugePages: true)
    region.begin(with: header(runID: runID, partition: partition, layout: layout, live: live, isCoarse: coarse != nil))
    let volume = VolumeRegion(region: region, layout: layout, live: live, coarse: coarse)
    volume.sealZeros(slot: volume.newest.slot)
    return volume
  }

  /// Attaches to the region of worker `partition`; refuses one that belongs to another run or has another shape. With
  /// `isReadOnly` only what reads may be called.
  package static func attach(
    name: String, runID: RunID, partition: Int, layout: SliceLayout, live: LiveLayout? = nil, coarse: LiveLayout? = nil,
    isReadOnly: Bool = false
  ) throws(HostError) -> VolumeRegion {
    let region = try SharedRegion.attach(name: name, isReadOnly: isReadOnly)
    if let version = otherVersion(region) {
      throw .regionRefused(
        name: name,
        reason: "it was made by another version (layout \(version)); this one reads \(layoutVersion) and "
          + "\(coarseLayoutVersion)")
    }
    try region.check(
      isFor: "volume.\(partition) of this run", byteCount: byteCount(layout),
      header: header(runID: runID, partition: partition, layout: layout, live: live, isCoarse: coarse != nil))
    return VolumeRegion(region: region, layout: layout, live: live, coarse: coarse)
  }

  /// The layout of a whole header of another version.
  private static func otherVersion(_ region: SharedRegion) -> UInt32? {
    guard region.byteCount >= headerByteCount, region.base.load(as: UInt32.self) == magic,
      region.base.load(fromByteOffset: checkedByteCount, as: UInt32.self)
        == clinux_crc32c(0, region.base, checkedByteCount)
    else { return nil }
    let version = region.base.load(fromByteOffset: 4, as: UInt32.self)
    return [layoutVersion, coarseLayoutVersion].contains(version) ? nil : version
  }

  /// The immutable part of the header: 48 bytes of fields and their checksum.
  private static func header(
    runID: RunID, partition: Int, layout: SliceLayout, live: LiveLayout?, isCoarse: Bool
  ) -> InlineArray<13, UInt32> {
    let factor = live?.factor ?? 0
    precondition(factor < 256, "\(factor) columns become one")
    return regionWords(
      magic: magic, layout: isCoarse ? coarseLayoutVersion : layoutVersion, runID, UInt32(partition),
      UInt32(layout.rows), UInt32(layout.columns),
      UInt32(layout.lanes | (isCoarse ? 1 << 16 : 0) | factor << 24),
      UInt32(truncatingIfNeeded: layout.volumeByteCount),
      UInt32(layout.volumeByteCount >> 32))
  }

  /// The newest complete generation.
  package var newest: Generation {
    // SYNC newest ← publish: everything of the generation was stored before the word that names it.
    let word = newestWord.pointee.load(ordering: .acquiring)
    // A torn or hostile word can only name one of the three slots.
    let slot = Int(word & 3) % Self.slotCount
    return Generation(
      number: number(ofSlot: slot).pointee, cursor: word >> 2, base: UnsafeRawPointer(base(ofSlot: slot)), slot: slot)
  }

  /// How slices of windows lie in a generation.
  package var windowLayout: SliceLayout { live?.layout ?? layout }

  /// Whether a generation is of binned projections, as all of windows are.
  package func isLive(_ generation: Generation) -> Bool { kind(ofSlot: generation.slot) == .window && live != nil }

  /// Whether it lies on a coarse grid.
  package func isCoarse(_ generation: Generation) -> Bool { kind(ofSlot: generation.slot) == .coarse }

  /// How the slices of a generation, the newest when it was asked for, lie in memory.
  package func layout(of generation: Generation) -> SliceLayout { layout(ofSlot: generation.slot) }

  /// The slices of a generation, the newest when it was asked for, in the shape of the finished volume.
  package func slices(of generation: Generation) -> GenerationSlices {
    GenerationSlices(layout: layout, live: self.live(kind(ofSlot: generation.slot)), base: generation.base)
  }

  /// What a slot holds is said by the update that made it, whatever else was written over that.
  private func kind(ofSlot slot: Int) -> VolumeKind {
    let kind = UpdateEvent.volume(
      of: region.base.load(fromByteOffset: Self.recordOffset(ofSlot: slot) + 8, as: UInt32.self))
    return kind == .coarse && coarse == nil ? .window : kind
  }

  /// How a generation of binned projections lies in memory; nil for one of all.
  private func live(_ kind: VolumeKind) -> LiveLayout? {
    switch kind {
    case .finished: nil
    case .window: live
    case .coarse: coarse
    }
  }

  func layout(ofSlot slot: Int) -> SliceLayout { live(kind(ofSlot: slot))?.layout ?? layout }

  /// How what `update` makes lies in memory; generation 0 for nil.
  func layout(of update: UpdateEvent?) -> SliceLayout { live(update?.volume ?? .window)?.layout ?? layout }

  /// Gives `body` the newest complete generation while the worker goes on. Nil if the worker published another one
  /// meanwhile, each of a few times: then its slot may have been written again, and what `body` made of it is dropped.
  package func withNewest<Result>(_ body: (Generation) -> Result) -> (generation: UInt64, result: Result)? {
    for _ in 0..<Self.attemptLimit {
      let word = newestWord.pointee.load(ordering: .acquiring)
      let generation = newest
      let result = body(generation)
      // SYNC withNewest ← publish: the word is read once more after the voxels. While it names this slot, no writer
      // chooses it.
      atomicMemoryFence(ordering: .acquiring)
      if newestWord.pointee.load(ordering: .relaxed) == word { return (generation.number, result) }
    }
    return nil
  }

  /// Keeps the newest generation as it is until `unpin`, however many follow.
  package func pinNewest() -> Generation {
    precondition(pinned == nil, "slot \(pinned ?? 0) is still being saved")
    let generation = newest
    (pinned, anchor) = (generation.slot, generation.slot)
    return generation
  }

  /// Gives back what `pinNewest` kept.
  package func unpin() { pinned = nil }

  /// Fills generation 0 of a region that nobody uses yet with what `read` writes there, and makes it the generation of
  /// the update that `read` gives; the zero volume where it gives nil.
  package func restore(_ read: (UnsafeMutableRawPointer) throws -> UpdateEvent?) rethrows {
    try fill(slot: newest.slot, read)
  }

  /// Where the next generation is to be written: a slot that is neither the newest nor being saved.
  package var nextBase: UnsafeMutableRawPointer { base(ofSlot: nextSlot) }

  /// Makes what was written at `nextBase` the newest generation: `update` made it, and `update.cursor` is the next
  /// order to apply to it. The update's generation must be the next one. One whose pieces were all sealed stays until
  /// the next such one; of another nobody can tell whether it is what was computed.
  package func publish(_ update: UpdateEvent, isSealed: Bool = false) {
    precondition(
      update.cursor < 1 << 62 && update.generation == newest.number + 1,
      "\(update) cannot follow generation \(newest.number)")
    let slot = nextSlot
    name(update, slot: slot, isSealed: isSealed)
    // SYNC publish → newest
    storeNewest(cursor: update.cursor, slot: slot)
    if isSealed { keep(slot) }
  }

  /// Keeps a sealed generation until another one is, unless one is being saved.
  func keep(_ slot: Int) { if pinned == nil { anchor = slot } }

  /// Says what a slot holds: generation 0 for nil.
  func name(_ update: UpdateEvent?, slot: Int, isSealed: Bool) {
    let record = record(ofSlot: slot)
    record.initializeMemory(as: UInt8.self, repeating: 0)
    number(ofSlot: slot).pointee = update?.generation ?? 0
    if let update { _ = update.encode(into: record) }
    sealRecord(ofSlot: slot, isSealed: isSealed)
  }

  /// Everything of the generation is to be stored before.
  func storeNewest(cursor: UInt64, slot: Int) {
    newestWord.pointee.store(cursor << 2 | UInt64(slot), ordering: .releasing)
    // SYNC publish → withNewest: whoever sees a voxel, number or update that is stored from here on also sees that the
    // word changed. The store above keeps what comes before it in order, not what follows.
    atomicMemoryFence(ordering: .releasing)
  }

  /// The update that made the newest generation; nil for generation 0.
  package func newestUpdate() throws(EventError) -> UpdateEvent? {
    let newest = newest
    return newest.number == 0 ? nil : try UpdateEvent(decoding: UnsafeRawBufferPointer(record(ofSlot: newest.slot)))
  }

  /// The slot of the next generation: neither the newest nor being saved, or the one where the final iterations have
  /// begun it.
  var nextSlot: Int {
    if let mark = finalMark { return mark.slot }
    let newest = newest.slot
    let next = (newest + 1) % Self.slotCount
    let free = next == pinned || next == anchor ? (next + 1) % Self.slotCount : next
    precondition(
      free != newest && free != pinned && free != anchor,
      "slot \(free) is free beside \(newest), \(pinned ?? -1) and \(anchor ?? -1)")
    return free
  }

  func base(ofSlot slot: Int) -> UnsafeMutableRawPointer {
    precondition((0..<Self.slotCount).contains(slot), "slot \(slot) of \(Self.slotCount)")
    return region.base + Self.headerByteCount + slot * layout.volumeByteCount
  }

  /// Where a slot's generation number is, and behind it the update that made the generation.
  static func recordOffset(ofSlot slot: Int) -> Int {
    precondition((0..<slotCount).contains(slot), "the record of slot \(slot) of \(slotCount)")
    return 256 + recordStride * slot
  }

  func record(ofSlot slot: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: region.base + Self.recordOffset(ofSlot: slot) + 8, count: UpdateEvent.byteCount)
  }

  private func number(ofSlot slot: Int) -> UnsafeMutablePointer<UInt64> {
    (region.base + Self.recordOffset(ofSlot: slot)).assumingMemoryBound(to: UInt64.self)
  }

  // Sound: the word is 8-aligned inside the mapped header page and only ever accessed atomically.
  private var newestWord: UnsafeMutablePointer<Atomic<UInt64>> {
    (region.base + Self.newestOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
