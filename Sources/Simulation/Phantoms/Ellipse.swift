import Glibc

/// A filled ellipse in a slice. Ellipses add up where they overlap.
///
/// Lengths are fractions of half the slice's width: the slice is the square −1 … 1 in x (to the right) and y (up), so
/// that a phantom is the same at every resolution.
package struct Ellipse: Sendable, Equatable {
  /// Position of the centre.
  package var x: Double
  /// Position of the centre, upwards.
  var y: Double
  /// Semi-axis along `angle`.
  package var a: Double
  /// Semi-axis across `angle`.
  var b: Double
  /// Direction of semi-axis `a`, in radians anticlockwise from x.
  var angle: Double
  /// What the ellipse adds to the slice inside it.
  package var value: Double

  /// An ellipse; `b` defaults to `a`, which makes a disc.
  init(x: Double, y: Double, a: Double, b: Double? = nil, angle: Double = 0, value: Double) {
    precondition(a > 0 && b ?? a > 0, "semi-axes \(a), \(b ?? a)")
    self.x = x
    self.y = y
    self.a = a
    self.b = b ?? a
    self.angle = angle
    self.value = value
  }
}

/// An ellipse's shadow at one theta: the line at distance t from the axis has the integral `peak` · √(1 − u²), u = (t −
/// centre)/halfWidth.
///
/// A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging, IEEE Press 1988, equations 3.5 and 3.6.
struct EllipseShadow {
  let centre: Double
  let halfWidth: Double
  let peak: Double

  init(_ ellipse: Ellipse, cosTheta: Double, sinTheta: Double) {
    // cos and sin of theta − angle, by the addition theorems: the angle is 0 for the many discs of a foam.
    let c = ellipse.angle == 0 ? cosTheta : cosTheta * cos(ellipse.angle) + sinTheta * sin(ellipse.angle)
    let s = ellipse.angle == 0 ? sinTheta : sinTheta * cos(ellipse.angle) - cosTheta * sin(ellipse.angle)
    let squared = ellipse.a * ellipse.a * c * c + ellipse.b * ellipse.b * s * s
    centre = ellipse.x * cosTheta + ellipse.y * sinTheta
    halfWidth = squared.squareRoot()
    peak = 2 * ellipse.value * ellipse.a * ellipse.b / halfWidth
  }

  /// The integral along the line at `t`; 0 beside the ellipse.
  @inline(__always)
  func integral(at t: Double) -> Double {
    let u = (t - centre) / halfWidth
    return peak * max(0, 1 - u * u).squareRoot()
  }
}
