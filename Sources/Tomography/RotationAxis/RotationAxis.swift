/// Where the rotation axis is, in pixels from the detector's left edge: N/2 is the middle of N columns.
public struct RotationAxisEstimate: Sendable, Equatable {
  /// The refined position, sub-pixel.
  public let axis: Double
  /// What the registration of the projections half a turn apart gave on its own.
  public let registration: Double
}

/// Why no rotation axis could be found.
public enum RotationAxisError: Error, Equatable, CustomStringConvertible {
  /// The projections span less than 175°, so that no two of them are half a turn apart.
  case spanTooSmall(degrees: Double)
  /// The sinogram is constant, not finite, or has fewer than 8 columns or 3 angles.
  case noContrast(reason: String)

  /// One line for the person at the terminal.
  public var description: String {
    switch self {
    case .spanTooSmall(let degrees):
      "the projections span \(degrees) degrees; finding the rotation axis needs at least 175: give it with --rotation-axis"
    case .noContrast(let reason):
      "no rotation axis can be found: \(reason); give it with --rotation-axis"
    }
  }
}

/// Finds the rotation axis from one detector row.
///
/// - Parameters:
///   - sinogram: angles × columns line integrals, finite.
///   - thetas: radians, one an angle, in any order.
///   - columns: bins of the detector.
public func estimateRotationAxis(
  sinogram: UnsafeBufferPointer<Float>, angles thetas: [Double], columns: Int
) throws(RotationAxisError) -> RotationAxisEstimate {
  throw .noContrast(reason: "placeholder")
}
