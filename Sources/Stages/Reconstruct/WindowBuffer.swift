import KernelTypes

/// Line integrals of the projections that windows use: of the newest ones, as many as memory is for, and of those that
/// an update takes from further back.
///
/// ```
/// slots    0 … kept − 1       the newest projections, number n in slot n mod kept
///          kept … slots − 1   others, read again for each update
/// ```
final class WindowBuffer {
  let sinogram: SinogramBuffer
  /// The same of slices of half the columns and rows; nil where no update is made of those.
  let coarse: SinogramBuffer?
  /// Newest projections that stay.
  let kept: Int
  /// The ordinal of the projection in each slot; −1 for none.
  private var held: [Int]
  /// When it was acquired, in nanoseconds since 1970.
  private var acquired: [UInt64]

  init(layout: SliceLayout, coarse: SliceLayout? = nil, kept: Int, others: Int) {
    self.kept = kept
    sinogram = SinogramBuffer(layout: layout, blocks: layout.blockCount, slots: kept + others)
    self.coarse = coarse.map { SinogramBuffer(layout: $0, blocks: $0.blockCount, slots: kept + others) }
    held = Array(repeating: -1, count: kept + others)
    acquired = Array(repeating: 0, count: kept + others)
  }

  /// The slot of a projection when `count` have come, the `place`-th of those that an update takes from anywhere.
  func slot(of ordinal: Int, after count: Int, place: Int) -> Int {
    precondition((0..<count).contains(ordinal), "projection \(ordinal) of \(count)")
    if ordinal + kept >= count { return ordinal % kept }
    precondition(kept + place < held.count, "projection \(ordinal) of \(count) has no slot")
    return kept + place
  }

  /// Whether there is a slot for a projection, when `count` have come.
  func hasRoom(for ordinal: Int, after count: Int) -> Bool {
    ordinal < count && (ordinal + kept >= count || kept < held.count)
  }

  /// Whether a projection is in its slot.
  func holds(_ ordinal: Int, in slot: Int) -> Bool { held[slot] == ordinal }

  /// Takes note of the projection that was stored in a slot, and when it was acquired.
  func hold(_ ordinal: Int, in slot: Int, acquiredAt: UInt64 = 0) {
    (held[slot], acquired[slot]) = (ordinal, acquiredAt)
  }

  /// When the projection in a slot was acquired; 0 where that is not known.
  func acquiredAt(_ slot: Int) -> UInt64 { acquired[slot] }

  /// What was stored is to be stored again: it was corrected with fewer fields than there are.
  func forget() { for slot in held.indices { held[slot] = -1 } }
}
