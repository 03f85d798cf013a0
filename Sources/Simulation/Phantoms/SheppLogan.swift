/// The Shepp–Logan head with Toft's contrast, the same in every detector row.
///
/// Geometry: L. A. Shepp and B. F. Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21–43. Values: P. Toft, The Radon Transform
/// – Theory and Implementation, PhD thesis, Technical University of Denmark 1996, table B.1: skull 1, brain 0.2,
/// features ±0.1 and more.
package struct SheppLogan: Phantom {
  /// Largest line integrals about 2.
  package let fullWidthIntegral = 8.0

  /// The one Shepp–Logan phantom there is.
  package init() {}

  /// The ten ellipses, for any row.
  package func ellipses(row: Int) -> [Ellipse] { Self.head }

  private static let head: [Ellipse] = [
    Ellipse(x: 0, y: 0, a: 0.69, b: 0.92, value: 1),
    Ellipse(x: 0, y: -0.0184, a: 0.6624, b: 0.874, value: -0.8),
    Ellipse(x: 0.22, y: 0, a: 0.11, b: 0.31, angle: -18 * .pi / 180, value: -0.2),
    Ellipse(x: -0.22, y: 0, a: 0.16, b: 0.41, angle: 18 * .pi / 180, value: -0.2),
    Ellipse(x: 0, y: 0.35, a: 0.21, b: 0.25, value: 0.1),
    Ellipse(x: 0, y: 0.1, a: 0.046, value: 0.1),
    Ellipse(x: 0, y: -0.1, a: 0.046, value: 0.1),
    Ellipse(x: -0.08, y: -0.605, a: 0.046, b: 0.023, value: 0.1),
    Ellipse(x: 0, y: -0.605, a: 0.023, value: 0.1),
    Ellipse(x: 0.06, y: -0.605, a: 0.023, b: 0.046, value: 0.1),
  ]
}
