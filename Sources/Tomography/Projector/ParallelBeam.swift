/// Geometry of a parallel-beam scan.
package struct ParallelBeam: Sendable, Equatable {
  /// Columns of the detector.
  let columns: Int
  /// Rotation axis in pixels from the detector's left edge: `columns / 2` is the middle. It may lie outside the
  /// detector.
  let rotationAxis: Double

  /// Describes a scan; the axis must be finite and at most 2²⁰ pixels away.
  package init(columns: Int, rotationAxis: Double) {
    precondition(columns >= 1, "\(columns) columns")
    precondition(abs(rotationAxis) <= 1_048_576, "rotation axis at \(rotationAxis)")
    self.columns = columns
    self.rotationAxis = rotationAxis
  }

  /// Bin of the centre of pixel (0, 0): t + axis − 0.5 with t = X cos θ + Y sin θ.
  func origin(cosine: Double, sine: Double) -> Double {
    let half = 0.5 * Double(columns - 1)
    return half * (sine - cosine) + rotationAxis - 0.5
  }
}

/// One projection of a window.
package struct WindowAngle: Sendable, Equatable {
  /// Angle in radians.
  let theta: Double
  /// Where the projection lies in the sinogram.
  let slot: Int
  /// What SIRT counts it for: see `angularShares`.
  let share: Float

  /// A projection at `theta` (radians, finite) in row `slot` of a sinogram block.
  package init(theta: Double, slot: Int, share: Float = 1) {
    precondition(theta.isFinite, "theta is \(theta)")
    precondition(slot >= 0, "slot \(slot)")
    precondition(share >= 0 && share.isFinite, "a share of \(share)")
    (self.theta, self.slot, self.share) = (theta, slot, share)
  }
}
