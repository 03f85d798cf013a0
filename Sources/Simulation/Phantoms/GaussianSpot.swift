import Glibc

/// A round spot in a slice, as bright as a Gaussian: value · exp(−r² / 2 w²). Spots and ellipses add up. Lengths are
/// those of `Ellipse`.
package struct GaussianSpot: Sendable, Equatable {
  /// Position of the centre, to the right.
  let x: Double
  /// Position of the centre, upwards.
  let y: Double
  /// w, the standard deviation.
  let width: Double
  /// What the spot adds at its centre.
  let value: Double

  /// Beyond so many widths a spot is taken for 0: 2e-8 of its value.
  static let reach = 6.0

  /// Its integral along the line at `t` from the axis, at one theta: a Gaussian of the same width.
  func integral(at t: Double, cosTheta: Double, sinTheta: Double) -> Double {
    let u = (t - x * cosTheta - y * sinTheta) / width
    return abs(u) > Self.reach ? 0 : value * width * (2 * .pi).squareRoot() * exp(-0.5 * u * u)
  }

  /// Its value at a point.
  func value(x: Double, y: Double) -> Double {
    let (u, v) = ((x - self.x) / width, (y - self.y) / width)
    return value * exp(-0.5 * (u * u + v * v))
  }
}
