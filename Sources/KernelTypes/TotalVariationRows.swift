/// A row of pixels in memory, of which the kernels of total variation take sixteen values at a time.
package struct LaneRow: @unchecked Sendable {
  /// The first sixteen values.
  package let start: UnsafeMutableRawPointer
  /// Bytes from sixteen values to the next sixteen.
  package let stride: Int

  /// The memory must outlive the kernel's call.
  package init(_ start: UnsafeMutableRawPointer, stride: Int) {
    self.start = start
    self.stride = stride
  }
}

/// How the values of a row are taken. Of a pixel with 16 lanes or more, sixteen lanes of one pixel after the other;
/// pixels of 2 or 4 lanes lie close together, and sixteen values are those of several pixels.
package struct LaneRowShape: Sendable {
  /// How often sixteen values are taken.
  package let count: Int
  /// Values that belong to the row the last time.
  package let tail: Int
  /// Lanes of a pixel where several are taken together; else 16.
  package let lanes: Int

  /// A row of `columns` pixels of a block of `lanes` lanes.
  package init(columns: Int, lanes: Int) {
    let values = columns * min(16, lanes)
    count = (values + 15) / 16
    tail = values - (count - 1) * 16
    self.lanes = min(16, lanes)
  }

  /// Bytes from a value to that of the next pixel, in a row with this stride.
  package func neighbour(stride: Int) -> Int { lanes < 16 ? lanes * MemoryLayout<Float>.stride : stride }
}

/// A row of z + τ λ div p. Dual values are pairs of 16-bit integers of at most ±32,767, which stands for 1: the low
/// half belongs to the difference to the row below, the high half to that to the right.
package struct PrimalRow: @unchecked Sendable {
  package let shape: LaneRowShape
  /// z
  package let data: LaneRow
  /// p of the row, after the pixel left of it, and of the one above it.
  package let dual: LaneRow, above: LaneRow
  /// τ, one value a pixel, with room for sixteen more.
  package let steps: UnsafePointer<Float>
  /// λ / 32,767 of sixteen lanes.
  package let weights: UnsafePointer<Float>
  /// What is brought into the cache along the way, by kernels that make p too; any address.
  package let wanted: LaneRow

  /// The pointers must outlive the kernel's call.
  package init(
    shape: LaneRowShape, data: LaneRow, dual: LaneRow, above: LaneRow, steps: UnsafePointer<Float>,
    weights: UnsafePointer<Float>, wanted: LaneRow
  ) {
    self.shape = shape
    self.data = data
    self.dual = dual
    self.above = above
    self.steps = steps
    self.weights = weights
    self.wanted = wanted
  }
}

/// A row of the dual step p ← (p + σ ∇d) / max(1, |·|).
package struct DualRow: @unchecked Sendable {
  package let shape: LaneRowShape
  /// p of the row.
  package let dual: LaneRow
  /// d of the row, with a pixel more on the right, and of the one below it. One stride for both.
  package let primal: LaneRow, below: UnsafeMutableRawPointer
  /// 32,767 σ of sixteen lanes, and what p + σ ∇d is multiplied by before it is cut: 1, or less for Huber's potential.
  package let steps: UnsafePointer<Float>, shrinks: UnsafePointer<Float>
  /// What is brought into the cache along the way; any address.
  package let wanted: LaneRow

  /// The pointers must outlive the kernel's call.
  package init(
    shape: LaneRowShape, dual: LaneRow, primal: LaneRow, below: UnsafeMutableRawPointer, steps: UnsafePointer<Float>,
    shrinks: UnsafePointer<Float>, wanted: LaneRow
  ) {
    self.shape = shape
    self.dual = dual
    self.primal = primal
    self.below = below
    self.steps = steps
    self.shrinks = shrinks
    self.wanted = wanted
  }
}
