/// How the values of a row are taken, sixteen at a time: `[column][lane]`, one after the other. Of pixels of 2 or 4
/// lanes sixteen values are those of several.
package struct LaneRowShape: Sendable {
  package let columns: Int
  /// Lanes of a pixel.
  package let lanes: Int
  /// Bytes from a value to that of the next pixel.
  package let pixelByteCount: Int
  /// How often sixteen values are taken.
  package let count: Int
  /// Values that belong to the row the last time.
  package let tail: Int

  /// A row of `columns` pixels of a block of `lanes` lanes.
  package init(columns: Int, lanes: Int) {
    self.columns = columns
    self.lanes = lanes
    pixelByteCount = lanes * MemoryLayout<Float>.stride
    count = (columns * lanes + 15) / 16
    tail = columns * lanes - (count - 1) * 16
  }
}

/// Dual values of a row of pixels, of which 32,767 stands for 1: those of the difference to the row below (down) and of
/// that to the pixel on the right.
package struct DualValues: @unchecked Sendable {
  /// Pairs of 16-bit integers of at most ±32,767, down in the low half; with `right`, floats of those down.
  package let start: UnsafeMutableRawPointer
  /// Floats of those to the right.
  package let right: UnsafeMutableRawPointer?

  /// The memory must outlive the kernel's call.
  package init(pairs: UnsafeMutableRawPointer) { (start, right) = (pairs, nil) }

  /// The memory must outlive the kernel's call.
  package init(down: UnsafeMutableRawPointer, right: UnsafeMutableRawPointer) { (start, self.right) = (down, right) }
}

/// What the kernels of total variation multiply by.
package struct VariationFactors: @unchecked Sendable {
  /// λ / 32,767 of each lane, or of sixteen values where a pixel has fewer lanes.
  package let weights: UnsafePointer<Float>
  /// 32,767 σ of each lane.
  package let scales: UnsafePointer<Float>
  /// The square of 32,767, or of more for Huber's potential: what |p + σ ∇d|² is compared with.
  package let bounds: UnsafePointer<Float>
  /// σ λ, the same for all lanes.
  package let ratio: Float

  /// The pointers must outlive the kernel's call.
  package init(
    weights: UnsafePointer<Float>, scales: UnsafePointer<Float>, bounds: UnsafePointer<Float>, ratio: Float
  ) {
    self.weights = weights
    self.scales = scales
    self.bounds = bounds
    self.ratio = ratio
  }
}

/// A row of d = z + τ λ div p.
package struct PrimalRow: @unchecked Sendable {
  package let shape: LaneRowShape
  /// z
  package let data: UnsafeMutableRawPointer
  /// p of the row, after the pixel left of it, and of the row above it: as `dual` has it, pairs or down.
  package let dual: DualValues, above: UnsafeRawPointer
  /// τ, one value a pixel, with room for sixteen more.
  package let steps: UnsafePointer<Float>
  package let factors: VariationFactors
  /// What is brought into the cache along the way, by kernels that make p too; any address.
  package let wanted: UnsafeRawPointer

  /// The pointers must outlive the kernel's call.
  package init(
    shape: LaneRowShape, data: UnsafeMutableRawPointer, dual: DualValues, above: UnsafeRawPointer,
    steps: UnsafePointer<Float>, factors: VariationFactors, wanted: UnsafeRawPointer
  ) {
    self.shape = shape
    self.data = data
    self.dual = dual
    self.above = above
    self.steps = steps
    self.factors = factors
    self.wanted = wanted
  }
}

/// A row of the dual step p ← q / max(1 + σ ε, |q|), q = p + σ ∇d.
package struct DualRow: @unchecked Sendable {
  package let shape: LaneRowShape
  /// p of the row.
  package let dual: DualValues
  /// 32,767 σ d of the row, with a pixel more on the right, and of the one below it.
  package let primal: UnsafeRawPointer, below: UnsafeRawPointer
  package let factors: VariationFactors
  /// What is brought into the cache along the way; any address.
  package let wanted: UnsafeRawPointer

  /// The pointers must outlive the kernel's call.
  package init(
    shape: LaneRowShape, dual: DualValues, primal: UnsafeRawPointer, below: UnsafeRawPointer,
    factors: VariationFactors, wanted: UnsafeRawPointer
  ) {
    self.shape = shape
    self.dual = dual
    self.primal = primal
    self.below = below
    self.factors = factors
    self.wanted = wanted
  }
}

/// What becomes of z when the last step is done: x, cut from below; with `previous`, that becomes x, and z what is
/// extrapolated.
package struct VariationTarget: @unchecked Sendable {
  /// The x before.
  package let previous: UnsafeMutableRawPointer?
  package let momentum: Float
  /// No voxel becomes less.
  package let least: Float

  /// The memory must outlive the kernel's call.
  package init(previous: UnsafeMutableRawPointer?, momentum: Float, isNonNegative: Bool) {
    self.previous = previous
    self.momentum = momentum
    least = isNonNegative ? 0 : -.infinity
  }
}
