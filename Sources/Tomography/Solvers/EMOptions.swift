/// What can be chosen about expectation maximisation.
package struct EMOptions: Sendable, Equatable {
  /// Smoothness that is asked of a slice. The penalty is β Σ w ψ(difference) over all pairs of neighbours; a voxel has
  /// eight, at weights w of 1 for the sides and 1/√2 for the corners, divided by 4 + 2√2. β is weighed against the
  /// number of a window's angles.
  package enum Penalty: Sendable, Equatable {
    /// ψ(t) = t²
    case quadratic(strength: Float)
    /// ψ(t) = 2 δ² (|t| / δ − log(1 + |t| / δ)): quadratic for differences far below δ, linear for those far above, so
    /// that edges stay.
    case hybrid(strength: Float, delta: Float)
  }

  /// The penalty; nil for plain maximum likelihood.
  package var penalty: Penalty?
  /// No update multiplies a voxel by less. 0 is the plain method; in windows of a few projections anything above it
  /// keeps alive what a single bin of zero would end for ever.
  package var factorMin: Float
  /// Only voxels whose centres lie within columns / 2 of the rotation axis take part; the others are zero.
  package var diskMask: Bool

  /// Plain MLEM unless told otherwise.
  package init(penalty: Penalty? = nil, factorMin: Float = 0, diskMask: Bool = false) {
    switch penalty {
    case nil: break
    case .quadratic(let strength): precondition(strength > 0 && strength.isFinite, "strength \(strength)")
    case .hybrid(let strength, let delta):
      precondition(
        strength > 0 && strength.isFinite && delta > 0 && delta.isFinite, "strength \(strength), delta \(delta)")
    }
    precondition(factorMin >= 0 && factorMin < 1, "factorMin \(factorMin)")
    self.penalty = penalty
    self.factorMin = factorMin
    self.diskMask = diskMask
  }
}
