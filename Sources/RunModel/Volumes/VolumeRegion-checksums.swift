import CLinux
import Glibc
import Host
package import KernelTypes

// What tells whether a generation is what its worker wrote there. Any process of this user can write to the region, and
// a bit of memory may flip: a volume that is used all the same becomes another volume, and nobody sees it.
//
// Reading a volume once more takes a good part of the time of an update, so not every generation is sealed. The newest
// one that is stays where it is until another one is, and a successor begins with it: what it makes again has the same
// bits.
//
// A block is checked in pieces, so that all threads of a worker do it. The record of a generation has a checksum of its
// own, over the checksums of its pieces too.
extension VolumeRegion {
  /// Bytes of a piece; the last one of a block may be shorter.
  private static let pieceByteCount = 1 << 20
  private static let pageByteCount = 4096

  private static func piecesOfBlock(_ layout: SliceLayout) -> Int {
    (layout.volumeBlockByteCount + pieceByteCount - 1) / pieceByteCount
  }

  /// Bytes of the checksums of all pieces of all slots, in whole pages.
  static func checksumByteCount(_ layout: SliceLayout) -> Int {
    let byteCount = slotCount * layout.blockCount * piecesOfBlock(layout) * MemoryLayout<UInt32>.stride
    return (byteCount + pageByteCount - 1) / pageByteCount * pageByteCount
  }

  /// Pieces of all blocks.
  static func pieceCount(_ layout: SliceLayout) -> Int { layout.blockCount * piecesOfBlock(layout) }

  /// The pieces of some blocks: of the final iterations, or in another layout of a generation.
  package func pieces(of blocks: Range<Int>, in layout: SliceLayout? = nil) -> Range<Int> {
    let layout = layout ?? self.layout
    precondition(blocks.lowerBound >= 0 && blocks.upperBound <= layout.blockCount, "blocks \(blocks)")
    let count = Self.piecesOfBlock(layout)
    return blocks.lowerBound * count..<blocks.upperBound * count
  }

  /// The pieces of a generation of the final iterations.
  package var pieces: Range<Int> { pieces(of: 0..<layout.blockCount) }

  /// The pieces of a generation.
  package func pieces(of generation: Generation) -> Range<Int> { 0..<Self.pieceCount(layout(of: generation)) }

  /// Takes note of what a piece at `nextBase` is: of the final iterations, or in another layout of a generation.
  /// Several threads may do so for different pieces.
  package func seal(piece: Int, in layout: SliceLayout? = nil) {
    seal(piece: piece, slot: nextSlot, layout ?? self.layout)
  }

  /// Whether a piece of a generation is what its worker took note of.
  package func isWhole(piece: Int, of generation: Generation) -> Bool {
    isWhole(piece: piece, slot: generation.slot, layout(of: generation))
  }

  /// Whether a generation, the newest when it was asked for, is what its worker wrote: its number, its cursor, the
  /// update that made it and, on the calling thread, its voxels.
  package func isWhole(_ generation: Generation) -> Bool {
    isSealed(generation) && pieces(of: generation).allSatisfy { isWhole(piece: $0, of: generation) }
  }

  /// The same without its voxels.
  package func isSealed(_ generation: Generation) -> Bool {
    sealed(slot: generation.slot).map { $0.number == generation.number && $0.cursor == generation.cursor } ?? false
  }

  /// Seals the newest generation, whose pieces were sealed meanwhile, if it is not. To be called by its writer.
  package func sealNewest() {
    let slot = newest.slot
    sealRecord(ofSlot: slot, isSealed: true)
    keep(slot)
  }

  /// Takes note of what a piece of the newest generation is.
  package func sealNewest(piece: Int) {
    let slot = newest.slot
    seal(piece: piece, slot: slot, layout(ofSlot: slot))
  }

  /// The generations that are sealed, whatever the word says that names the newest, the latest first.
  package var sealedGenerations: [Generation] {
    (0..<Self.slotCount).compactMap(sealed).sorted { $0.number > $1.number }
  }

  /// Makes a sealed generation the newest one, though a later one was there. To be called by the region's only writer,
  /// which has not begun to write.
  package func begin(with generation: Generation) {
    let newest = newest
    if newest.slot != generation.slot || newest.cursor != generation.cursor {
      forgetFinal()
      // SYNC begin → newest
      storeNewest(cursor: generation.cursor, slot: generation.slot)
    }
    keep(generation.slot)
  }

  /// The generation that a worker could not make of the one before, for it came out as no number, and what was tried.
  package var suspect: (generation: UInt64, attempts: Int) {
    get {
      let word = region.base.load(fromByteOffset: Self.suspectOffset, as: UInt64.self)
      return (word >> 2, Int(word & 3))
    }
    set {
      precondition((0..<4).contains(newValue.attempts), "\(newValue.attempts) attempts")
      let word = newValue.generation << 2 | UInt64(newValue.attempts)
      region.base.storeBytes(of: word, toByteOffset: Self.suspectOffset, as: UInt64.self)
    }
  }

  /// Whether a generation, the newest when it was asked for, is not sealed and says so: its worker may do that yet.
  package func awaitsSeal(_ generation: Generation) -> Bool {
    load(at: recordSeal(ofSlot: generation.slot)) == ~recordChecksum(ofSlot: generation.slot)
  }

  private static let suspectOffset = 144

  /// What the record of a slot says, if it is sealed.
  private func sealed(slot: Int) -> Generation? {
    guard recordChecksum(ofSlot: slot) == load(at: recordSeal(ofSlot: slot)) else { return nil }
    let number = region.base.load(fromByteOffset: Self.recordOffset(ofSlot: slot), as: UInt64.self)
    let base = UnsafeRawPointer(base(ofSlot: slot))
    guard number > 0 else { return Generation(number: 0, cursor: 0, base: base, slot: slot) }
    guard let update = try? UpdateEvent(decoding: UnsafeRawBufferPointer(record(ofSlot: slot))),
      update.generation == number
    else { return nil }
    return Generation(number: number, cursor: update.cursor, base: base, slot: slot)
  }

  /// Whether the mark of the next generation's complete blocks is what their worker wrote; false where there is none.
  package var isFinalMarkSealed: Bool {
    guard let mark = finalMark else { return false }
    return finalChecksum(word: finalWordValue, mark) == load(at: finalSeal(mark.blocks))
  }

  /// Whether a piece of the marked blocks is what its worker wrote.
  package func isWhole(finalPiece piece: Int) -> Bool {
    guard let mark = finalMark else { return false }
    return isWhole(piece: piece, slot: mark.slot, layout)
  }

  /// Makes a generation of what `read` writes into a slot that is not the newest, and of zeros where it gives nil, and
  /// makes it the newest one, though it may be older than the one before. To be called by the region's only writer,
  /// which has not begun to write.
  package func goBack(_ read: (UnsafeMutableRawPointer) throws -> UpdateEvent?) rethrows {
    forgetFinal()
    let slot = (newest.slot + 1) % Self.slotCount
    try fill(slot: slot, read)
    keep(slot)
  }

  /// Zeroes what lies around the slices of all generations but the newest: the solver relies on it and never writes it,
  /// so that what a dead process left there would be part of the next generation. Where there is more than one layout,
  /// what lies around the slices of one is in those of another, so all of it is zeroed.
  package func clearMargins() {
    for slot in 0..<Self.slotCount where slot != newest.slot {
      if live != nil || coarse != nil, finalMark?.slot != slot {
        memset(base(ofSlot: slot), 0, windowLayout.volumeByteCount)
        continue
      }
      for block in 0..<layout.blockCount {
        let shape = layout.shape(block: block), first = layout.pixelOffset(block: block)
        let line = layout.columns * shape.pixelByteCount
        var margin = block * layout.volumeBlockByteCount
        for row in 0..<layout.columns {
          let start = first + row * shape.volumePitch * shape.pixelByteCount
          memset(base(ofSlot: slot) + margin, 0, start - margin)
          margin = start + line
        }
        memset(base(ofSlot: slot) + margin, 0, (block + 1) * layout.volumeBlockByteCount - margin)
      }
    }
  }

  /// Zeroes what is at `nextBase` where a generation in another layout was there.
  package func clearNext(for layout: SliceLayout) {
    let slot = nextSlot
    if self.layout(ofSlot: slot) != layout { memset(base(ofSlot: slot), 0, layout.volumeByteCount) }
  }

  /// Zeroes a block at `nextBase`, where the final iterations come after generations in another layout: what those left
  /// there would be around its slices.
  package func clearNext(block: Int) {
    precondition((0..<layout.blockCount).contains(block), "block \(block) of \(layout.blockCount)")
    memset(nextBase + block * layout.volumeBlockByteCount, 0, layout.volumeBlockByteCount)
  }

  /// Fills a slot, seals it, and makes it the newest.
  func fill(slot: Int, _ read: (UnsafeMutableRawPointer) throws -> UpdateEvent?) rethrows {
    let update = try read(base(ofSlot: slot))
    if update == nil {
      memset(base(ofSlot: slot), 0, layout.volumeByteCount)
      sealZeros(slot: slot)
    } else {
      let layout = layout(of: update)
      for piece in 0..<Self.pieceCount(layout) { seal(piece: piece, slot: slot, layout) }
      name(update, slot: slot, isSealed: true)
    }
    // SYNC fill → newest
    storeNewest(cursor: update?.cursor ?? 0, slot: slot)
  }

  /// Seals a slot of zeros.
  func sealZeros(slot: Int) {
    let layout = windowLayout, count = Self.piecesOfBlock(layout)
    for piece in 0..<Self.pieceCount(layout) {
      // The pieces of all blocks are the same.
      if piece < count {
        seal(piece: piece, slot: slot, layout)
      } else {
        store(load(at: sealOffset(piece % count, slot)), at: sealOffset(piece, slot))
      }
    }
    name(nil, slot: slot, isSealed: true)
  }

  /// Takes note of what the record of a slot says, once its pieces are sealed.
  func sealRecord(ofSlot slot: Int, isSealed: Bool) {
    let checksum = recordChecksum(ofSlot: slot)
    store(isSealed ? checksum : ~checksum, at: recordSeal(ofSlot: slot))
  }

  /// Takes note of a mark before the word that names it is stored.
  func sealFinal(word: UInt64, _ mark: FinalMark) { store(finalChecksum(word: word, mark), at: finalSeal(mark.blocks)) }

  private func seal(piece: Int, slot: Int, _ layout: SliceLayout) {
    store(checksum(piece: piece, slot: slot, layout), at: sealOffset(piece, slot))
  }

  private func isWhole(piece: Int, slot: Int, _ layout: SliceLayout) -> Bool {
    checksum(piece: piece, slot: slot, layout) == load(at: sealOffset(piece, slot))
  }

  private func checksum(piece: Int, slot: Int, _ layout: SliceLayout) -> UInt32 {
    let count = Self.piecesOfBlock(layout), offset = piece % count * Self.pieceByteCount
    let start = base(ofSlot: slot) + piece / count * layout.volumeBlockByteCount + offset
    return clinux_crc32c(0, start, min(Self.pieceByteCount, layout.volumeBlockByteCount - offset))
  }

  private func recordChecksum(ofSlot slot: Int) -> UInt32 {
    let record = clinux_crc32c(0, region.base + Self.recordOffset(ofSlot: slot), 8 + UpdateEvent.byteCount)
    let pieces = Self.pieceCount(layout(ofSlot: slot))
    return clinux_crc32c(record, region.base + sealOffset(0, slot), pieces * MemoryLayout<UInt32>.stride)
  }

  private func finalChecksum(word: UInt64, _ mark: FinalMark) -> UInt32 {
    let named = withUnsafeBytes(of: word) { clinux_crc32c(0, $0.baseAddress, $0.count) }
    let update = finalUpdate(mark.blocks), marked = pieces(of: 0..<mark.blocks).count * MemoryLayout<UInt32>.stride
    return clinux_crc32c(
      clinux_crc32c(named, update.baseAddress, update.count), region.base + sealOffset(0, mark.slot), marked)
  }

  /// Where the checksum of a piece is.
  private func sealOffset(_ piece: Int, _ slot: Int) -> Int {
    precondition(pieces.contains(piece) && (0..<Self.slotCount).contains(slot), "piece \(piece) of slot \(slot)")
    return Self.checksumOffset(layout) + (slot * pieces.count + piece) * MemoryLayout<UInt32>.stride
  }

  private func recordSeal(ofSlot slot: Int) -> Int { Self.recordOffset(ofSlot: slot) + 8 + UpdateEvent.byteCount }

  private func finalSeal(_ blocks: Int) -> Int { Self.finalOffset(blocks) + UpdateEvent.byteCount }

  private func load(at offset: Int) -> UInt32 { region.base.load(fromByteOffset: offset, as: UInt32.self) }

  private func store(_ checksum: UInt32, at offset: Int) {
    region.base.storeBytes(of: checksum, toByteOffset: offset, as: UInt32.self)
  }
}
