/// What the kernels of total variation over x, y and the slices multiply by, a value for each lane of a block.
package struct SlabFactors: @unchecked Sendable {
  /// λ / 32,767, with a zero before the first lane.
  package let weights: UnsafePointer<Float>
  /// 32,767 σ for differences within a slice, and for those to the next one: 0 where there is none.
  package let steps: UnsafePointer<Float>, stepsAcross: UnsafePointer<Float>
  /// The square of 32,767, or of more for Huber's potential: what |p + σ ∇d|² is compared with.
  package let bounds: UnsafePointer<Float>

  /// The pointers must outlive the kernel's call.
  package init(
    weights: UnsafePointer<Float>, steps: UnsafePointer<Float>, stepsAcross: UnsafePointer<Float>,
    bounds: UnsafePointer<Float>
  ) {
    self.weights = weights
    self.steps = steps
    self.stepsAcross = stepsAcross
    self.bounds = bounds
  }
}

/// A row of all slices of a block, `[column][lane]` everywhere, whose lanes are a multiple of 16. Dual values within a
/// slice are pairs as those of `PrimalRow`; those to the next slice are floats in the same unit. Left of every row are
/// zeros.
package struct SlabRow: @unchecked Sendable {
  package let columns: Int
  package let lanes: Int
  /// z
  package let data: UnsafeMutableRawPointer
  /// p of the row within the slices, that of the row above it, and p of the row to the next slice.
  package let dual: UnsafeMutableRawPointer, above: UnsafeRawPointer, across: UnsafeMutableRawPointer
  /// τ of each column.
  package let steps: UnsafePointer<Float>
  package let factors: SlabFactors

  /// The pointers must outlive the kernel's call.
  package init(
    columns: Int, lanes: Int, data: UnsafeMutableRawPointer, dual: UnsafeMutableRawPointer, above: UnsafeRawPointer,
    across: UnsafeMutableRawPointer, steps: UnsafePointer<Float>, factors: SlabFactors
  ) {
    self.columns = columns
    self.lanes = lanes
    self.data = data
    self.dual = dual
    self.above = above
    self.across = across
    self.steps = steps
    self.factors = factors
  }
}
