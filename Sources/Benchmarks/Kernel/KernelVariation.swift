import KernelTypes
internal import Tomography

/// Steps of total variation as `auto` takes them in each subset: two inner steps in a pass, from the dual field before,
/// with extrapolation.
final class KernelVariation {
  static let innerSteps = 2
  private let layout: SliceLayout
  private let step: TotalVariationStep
  private let dual: ScratchMemory
  /// τ
  private let ones: [Float]

  init(layout: SliceLayout, threads: Int, level: Int?) {
    self.layout = layout
    step = TotalVariationStep(layout: layout, innerSteps: Self.innerSteps, threads: threads, level: level)
    dual = ScratchMemory(byteCount: layout.volumeByteCount)
    ones = Array(repeating: 1, count: layout.columns + 16)
  }

  /// A pass over all blocks. What it takes does not depend on the numbers.
  func run(data: UnsafeMutableRawPointer, previous: UnsafeMutableRawPointer, _ executor: some Executor) {
    ones.withUnsafeBufferPointer { ones in
      for block in 0..<layout.blockCount {
        let offset = layout.pixelOffset(block: block)
        step.setFactors(lanes: layout.lanes(block: block), stepMax: 1) { _ in (0.01, 0) }
        step.run(
          TotalVariationJob(
            shape: layout.shape(block: block), data: data + offset, dual: dual.start + offset,
            previous: previous + offset, steps: ones.baseAddress!, stepsPitch: 0, momentum: 0.5, isNonNegative: true),
          executor)
      }
    }
  }
}
