import KernelTypes
import Tomography

/// Line integrals of some blocks in the solver's layout, with room for `slots` projections.
final class SinogramBuffer {
  let slots: Int
  /// For the solver, which only reads.
  var base: UnsafeRawPointer { UnsafeRawPointer(storage) }
  var storage: UnsafeMutableRawPointer { memory.start }
  private let memory: ScratchMemory

  /// Starts as zeros, because the solver relies on them in the margins and in lanes without a row.
  init(layout: SliceLayout, blocks: Int, slots: Int) {
    self.slots = slots
    memory = ScratchMemory(byteCount: Self.byteCount(layout: layout, blocks: blocks, slots: slots))
  }

  static func byteCount(layout: SliceLayout, blocks: Int, slots: Int) -> Int {
    blocks * layout.sinogramBlockByteCount(slots: slots)
  }
}
