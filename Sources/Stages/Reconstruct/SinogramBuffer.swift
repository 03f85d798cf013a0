import Tomography

/// Line integrals of some blocks in the solver's layout, with room for `slots` projections.
final class SinogramBuffer {
  let slots: Int
  /// For the solver, which only reads.
  var base: UnsafeRawPointer { UnsafeRawPointer(storage) }
  let storage: UnsafeMutableRawPointer

  /// Zeroed, because the solver relies on zeros in the margins and in lanes without a row.
  init(layout: SliceLayout, blocks: Int, slots: Int) {
    let byteCount = Self.byteCount(layout: layout, blocks: blocks, slots: slots)
    self.slots = slots
    storage = .allocate(byteCount: byteCount, alignment: 4096)
    storage.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  deinit { storage.deallocate() }

  static func byteCount(layout: SliceLayout, blocks: Int, slots: Int) -> Int { blocks * layout.sinogramBlockByteCount(slots: slots) }
}
