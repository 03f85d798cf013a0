import Glibc
package import KernelTypes
import Tomography

/// How the detector lies beside the slices: from this one value follow their columns, which bins of a sinogram row are
/// measured, and where the rotation axis is among them.
///
/// ```
/// full      detector  |----------A----------|        half      detector     |--A-----------|
///           slice     |----------A----------|                  slice     |-----------A-----------|
/// ```
package struct ScanGeometry: Equatable, Sendable {
  /// Columns of the detector, after binning.
  private let detectorColumns: Int
  /// The rotation axis in pixels from its left edge.
  private let detectorAxis: Double
  /// Edge of a slice in pixels; with half acquisition the axis is in the middle of it, to a pixel.
  package let columns: Int

  /// Of a detector with so many columns. With `isHalf`, slices reach as far from the axis as the detector does on the
  /// side where it reaches farther.
  init(detectorColumns: Int, rotationAxis: Double, isHalf: Bool) {
    self.detectorColumns = detectorColumns
    detectorAxis = rotationAxis
    let reach = max(rotationAxis, Double(detectorColumns) - rotationAxis)
    columns = isHalf ? 2 * Int(reach.rounded(.up)) : detectorColumns
  }

  /// Bins that the detector measures: at the right end of a row where the axis is near its left edge.
  private var measured: Range<Int> {
    let first = 2 * detectorAxis < Double(detectorColumns) ? columns - detectorColumns : 0
    return first..<first + detectorColumns
  }

  /// How so many slices lie in memory.
  package func layout(rows: Int) -> SliceLayout { SliceLayout(columns: columns, measured: measured, rows: rows) }

  /// The axis among the bins.
  var beam: ParallelBeam {
    ParallelBeam(columns: columns, rotationAxis: detectorAxis + Double(measured.lowerBound))
  }

  /// Radians after which projections see the same.
  var period: Double { layout(rows: 1).period }

  /// The field of view in words.
  package var words: String {
    columns == detectorColumns ? "full" : "half: slices of \(columns) columns, of \(detectorColumns) of the detector"
  }
}

extension ScanGeometry {
  /// The axis is in the outer part of a detector if it is farther from the middle than this part of the columns.
  private static let outerMin = 0.125
  /// Directions that are farther apart were not measured: radians, and distances to the neighbours.
  private static let gapMax = (radians: 0.1, distances: 3.0)

  /// Whether the axis is in the outer part of a detector.
  static func isOuter(axis: Double, columns: Int) -> Bool {
    abs(axis - 0.5 * Double(columns)) > outerMin * Double(columns)
  }

  /// The widest gap between thetas, modulo a turn, in radians; nil of fewer than three, which are no scan around the
  /// sample.
  static func widestGap(_ thetas: [Double]) -> (gap: Double, isTurn: Bool)? {
    guard thetas.count > 2 else { return nil }
    let turn = 2 * Double.pi
    let folded = thetas.map { theta in
      let rest = theta.truncatingRemainder(dividingBy: turn)
      return rest < 0 ? rest + turn : rest
    }.sorted()
    let gaps = (zip(folded.dropFirst(), folded).map { $0 - $1 } + [folded[0] + turn - folded[folded.count - 1]])
      .sorted()
    // Rounding makes equal thetas differ a little.
    let distances = gaps.filter { $0 > 1e-6 }
    guard let widest = gaps.last, !distances.isEmpty else { return nil }
    let usual = distances[(distances.count - 1) / 2]
    return (widest, widest <= max(gapMax.radians, gapMax.distances * usual))
  }
}
