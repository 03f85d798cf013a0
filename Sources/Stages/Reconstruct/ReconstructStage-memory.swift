import KernelTypes
import Tomography

extension ReconstructStage {
  /// Bytes of a worker's own memory at its peak: the window's line integrals and solver, or one block's in the final
  /// iterations.
  package static func byteCount(_ configuration: Configuration, threads: Int) -> Int {
    let layout = configuration.layout
    func buffers(_ methods: [Method], blocks: Int, slots: Int) -> Int {
      guard slots > 0 else { return 0 }
      return SinogramBuffer.byteCount(layout: layout, blocks: blocks, slots: slots)
        + methods.reduce(0) {
          $0 + $1.scratchByteCount(layout: layout, anglesMax: slots, blocksMax: blocks, threads: threads)
        }
    }
    let methods = configuration.methods
    let stripes = StripeFilter(angles: configuration.projectionsMax, columns: layout.columns)
    return buffers([methods.window], blocks: layout.blockCount, slots: configuration.windowSlots)
      + (configuration.keepsProjections
        ? buffers([methods.final] + methods.initial, blocks: 1, slots: configuration.projectionsMax) : 0)
      + (configuration.removesStripes ? threads * stripeByteCount(stripes) : 0)
      + BlockCorrections.byteCount(layout: layout)
  }
}
