/// How far a block is, beside its three volumes.
struct SubsetState {
  /// Of one slice; stored as it lies in memory.
  struct Lane {
    /// Sum of this sweep's squared residuals.
    var residualSquared = 0.0
    /// m
    var scale: Float = 0
    /// σ of a line integral.
    var noise: Float = 0
    /// λ of this sweep.
    var weight: Float = 0
    /// Root mean square of the last whole sweep's residuals.
    var residual: Float = 0
    /// The largest magnitude that the last projection in fixed point met; NaN where there was none.
    var peak = Float.nan
    /// Projections that were made once more, because voxels did not fit in fixed point.
    var outgrownCount: UInt32 = 0
    /// σ was given, and does not come from the residual.
    var isNoiseGiven = false
    /// Projected in float, though others are in fixed point.
    var isFloat = false
  }

  private(set) var block = 0
  private(set) var nextStep = 0
  /// As many as the widest block has; each thread writes its own.
  let lanes: UnsafeMutableBufferPointer<Lane>
  private let memory: ScratchMemory

  init(lanes count: Int) {
    memory = ScratchMemory(byteCount: count * MemoryLayout<Lane>.stride)
    lanes = UnsafeMutableBufferPointer(
      start: memory.start.bindMemory(to: Lane.self, capacity: count), count: count)
    lanes.initialize(repeating: Lane())
  }

  mutating func begin(block: Int) {
    self.block = block
    nextStep = 0
    lanes.update(repeating: Lane())
  }

  mutating func go(to step: Int) { nextStep = step }
}

/// What a slice was reconstructed with.
package struct SubsetReport: Sendable, Equatable {
  /// σ of a line integral that the weight follows from.
  package let noise: Float
  /// λ, the threshold of a full step, in the volume's unit.
  package let weight: Float
  /// m, the 99th percentile of the slice's filtered backprojection.
  package let scale: Float
  /// Root mean square of the last sweep's residuals, in line integrals.
  let residual: Float
  /// Whether σ was given; else it is the residual of an earlier sweep.
  let isNoiseGiven: Bool
  /// Whether the slice was projected in float because fixed point would not do: its range was too wide, or subsets have
  /// too many angles.
  package let isFloat: Bool
  /// Projections of the slice that were made once more, because voxels did not fit in fixed point.
  package let outgrownCount: Int

  /// About 1 where the model fits the data; well above it there are rings, a wrong axis, motion, or less noise than the
  /// model has errors. Nil where σ was not given.
  package var residualOverNoise: Float? { isNoiseGiven && noise > 0 ? residual / noise : nil }
}
