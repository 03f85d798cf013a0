/// What turns the lanes of a block into fixed point and back: 16-bit numbers, with a scale for each slice, so that the
/// bits of a slice do not depend on those beside it.
package struct FixedScales: @unchecked Sendable {
  // Sound to send: whoever owns the memory changes it only between the kernels' calls.
  /// Steps in 1, and the value of a step, of each lane.
  package let steps: UnsafePointer<Float>, units: UnsafePointer<Float>

  /// The pointers must outlive the kernels' calls, at multiples of 64, 16 values where there are fewer lanes.
  package init(steps: UnsafePointer<Float>, units: UnsafePointer<Float>) {
    self.steps = steps
    self.units = units
  }
}

/// The largest magnitude in fixed point, in steps.
@inlinable public var fixedLimit: Float { 32_000 }
