import Host
import KernelTypes
import Synchronization

// The final iterations make one generation block by block. Blocks that are complete are marked in the region itself, so
// that they are known exactly as long as they are there: a worker's successor goes on behind them, and a region that is
// made anew after a restart of the machine has none.
extension VolumeRegion {
  /// What is marked: the slot of the next generation and how many of its blocks are complete.
  struct FinalMark {
    let slot: Int
    let blocks: Int
  }

  private static let finalOffset = 136
  private static let slotBits = 2
  private static let blockBits = 16

  /// Says that the first `blocks` blocks at `nextBase`, whose pieces are sealed, are as they will be in the next
  /// generation; `update` completed the last of them, and was reported.
  package func markFinal(blocks: Int, by update: UpdateEvent) {
    precondition(
      blocks > 0 && blocks <= layout.blockCount && blocks < 1 << Self.blockBits,
      "\(blocks) blocks of \(layout.blockCount)")
    precondition(update.generation == newest.number + 1, "\(update) does not follow generation \(newest.number)")
    precondition(
      update.generation < 1 << (64 - Self.blockBits - Self.slotBits),
      "generation \(update.generation) does not fit the word of its blocks")
    let slot = nextSlot
    _ = update.encode(into: finalUpdate(blocks))
    let word = (update.generation << Self.blockBits | UInt64(blocks)) << Self.slotBits | UInt64(slot)
    sealFinal(word: word, FinalMark(slot: slot, blocks: blocks))
    // SYNC markFinal → finalMark: every voxel of the blocks was stored, and the update, before the word that counts
    // them.
    finalWord.pointee.store(word, ordering: .releasing)
  }

  /// Whether something is said of blocks of a generation that is not there yet, whatever it means.
  package var isFinalBegun: Bool {
    let word = finalWordValue
    return word != 0 && word >> (Self.slotBits + Self.blockBits) != newest.number
  }

  /// Forgets which blocks are complete.
  package func forgetFinal() { finalWord.pointee.store(0, ordering: .releasing) }

  /// The blocks of the next generation that are complete, and the update that completed the last of them; nil where
  /// none is.
  package func finalProgress() throws(EventError) -> (blocks: Int, update: UpdateEvent)? {
    guard let mark = finalMark else { return nil }
    let update = try UpdateEvent(decoding: UnsafeRawBufferPointer(finalUpdate(mark.blocks)))
    guard update.generation == newest.number + 1 else {
      throw .malformed("a swept block of generation \(update.generation)")
    }
    return (mark.blocks, update)
  }

  /// The mark of the next generation; nil where there is none, or the word has no meaning.
  var finalMark: FinalMark? {
    // SYNC finalMark ← markFinal
    let word = finalWord.pointee.load(ordering: .acquiring)
    let newest = newest
    let mark = FinalMark(slot: Int(word & 3), blocks: Int(word >> Self.slotBits & (1 << Self.blockBits - 1)))
    guard word >> (Self.slotBits + Self.blockBits) == newest.number + 1, mark.slot < Self.slotCount,
      mark.slot != newest.slot,
      (1...layout.blockCount).contains(mark.blocks)
    else { return nil }
    return mark
  }

  /// In turns, so that the one that the word stands for is never written.
  func finalUpdate(_ blocks: Int) -> UnsafeMutableRawBufferPointer {
    precondition((1...layout.blockCount).contains(blocks), "\(blocks) blocks of \(layout.blockCount)")
    return UnsafeMutableRawBufferPointer(
      start: region.base + Self.finalOffset(blocks), count: UpdateEvent.byteCount)
  }

  /// Where that is.
  static func finalOffset(_ blocks: Int) -> Int { finalUpdateOffset + blocks % 2 * recordStride }

  /// The word as it is, whatever it means.
  var finalWordValue: UInt64 { finalWord.pointee.load(ordering: .acquiring) }

  // Sound: the word is 8-aligned inside the mapped header page and only ever accessed atomically.
  private var finalWord: UnsafeMutablePointer<Atomic<UInt64>> {
    (region.base + Self.finalOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
