/// What can be chosen about SIRT.
package struct SIRTOptions: Sendable, Equatable {
  /// λ: 1 is the plain method, it converges below 2.
  var relaxation: Float
  /// Cut the volume at zero after each iteration.
  var nonNegative: Bool
  /// Only voxels whose centres lie within columns / 2 of the rotation axis take part; the others must be zero, and stay
  /// so.
  var diskMask: Bool

  /// Plain SIRT unless told otherwise.
  package init(relaxation: Float = 1, nonNegative: Bool = false, diskMask: Bool = false) {
    precondition(relaxation > 0 && relaxation.isFinite, "relaxation \(relaxation)")
    self.relaxation = relaxation
    self.nonNegative = nonNegative
    self.diskMask = diskMask
  }
}

/// How far the volume was from the data, summed over all bins, angles and rows of an update.
package struct Residual: Sendable, Equatable {
  /// ‖b − A x‖², before the volume was updated.
  package let residualSquared: Double
  /// ‖b‖²
  package let dataSquared: Double

  /// Keeps both sums.
  package init(residualSquared: Double, dataSquared: Double) {
    self.residualSquared = residualSquared
    self.dataSquared = dataSquared
  }

  /// ‖b − A x‖ / ‖b‖; 0 where both are zero. Not finite if the data or the volume are not.
  var relative: Double {
    residualSquared == 0 && dataSquared == 0 ? 0 : (residualSquared / dataSquared).squareRoot()
  }
}
