import Glibc
import KernelTypes
import Tomography

/// A rotation axis that is tilted in the plane of the detector.
struct ScanTilt: Codable, Equatable, Sendable {
  /// Above zero where the axis lies farther right in lower rows.
  var degrees: Double
  /// Where the rotation axis of the plan is, in rows from the upper edge of the payload's first one: the middle of the
  /// detector.
  var middle: Double

  /// Columns by which the axis moves from one row to the next.
  var slope: Double { tan(degrees * .pi / 180) }
}

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
  /// Whether slices are wider than the detector.
  private let isHalf: Bool
  /// Nil where the axis is the same in all rows.
  let tilt: ScanTilt?
  /// Edge of a slice in pixels; with half acquisition the axis is in the middle of it, to a pixel.
  package let columns: Int

  /// Of a detector with so many columns. With `isHalf`, slices reach as far from the axis as the detector does on the
  /// side where it reaches farther.
  init(detectorColumns: Int, rotationAxis: Double, isHalf: Bool, tilt: ScanTilt? = nil) {
    (self.tilt, self.isHalf) = (tilt, isHalf)
    self.detectorColumns = detectorColumns
    detectorAxis = rotationAxis
    let reach = max(rotationAxis, Double(detectorColumns) - rotationAxis)
    columns = isHalf ? 2 * Int(reach.rounded(.up)) : detectorColumns
  }

  /// The same of a detector whose pixels are `factor` × `factor` of this one's: columns that do not fill one are left
  /// out.
  func binned(by factor: Int) -> ScanGeometry {
    ScanGeometry(
      detectorColumns: detectorColumns / factor, rotationAxis: detectorAxis / Double(factor), isHalf: isHalf,
      tilt: tilt.map { ScanTilt(degrees: $0.degrees, middle: $0.middle / Double(factor)) })
  }

  /// Bins that the detector measures: at the right end of a row where the axis is near its left edge.
  private var measured: Range<Int> {
    let first = 2 * detectorAxis < Double(detectorColumns) ? columns - detectorColumns : 0
    return first..<first + detectorColumns
  }

  /// How so many slices lie in memory.
  func layout(rows: Int) -> SliceLayout {
    let layout = SliceLayout(columns: columns, measured: measured, rows: rows)
    guard let lanesMax, lanesMax < layout.lanes else { return layout }
    return SliceLayout(columns: columns, measured: measured, rows: rows, lanes: lanesMax)
  }

  /// Slices of a block, which share an axis, where it is tilted: as many as lie within `deviationMax` of the axis of
  /// their middle.
  private var lanesMax: Int? {
    tilt.map { tilt in
      [64, 32, 16, 4].first { 0.5 * Double($0 - 1) * abs(tilt.slope) <= Self.deviationMax } ?? 2
    }
  }

  /// Workers' rows begin at multiples of so many rows of a projection: then blocks are the same for any number of
  /// workers.
  var rowAlignment: Int { lanesMax ?? 1 }

  /// Of blocks, in pixels: a slice is as good with an axis that is wrong by so little.
  private static let deviationMax = 0.03

  /// The axis among the bins: one for all, or one for each block of a worker's rows.
  func beams(rows: Range<Int>) -> [ParallelBeam] {
    let axis = detectorAxis + Double(measured.lowerBound)
    guard let tilt, let lanesMax else { return [ParallelBeam(columns: columns, rotationAxis: axis)] }
    return (0..<layout(rows: rows.count).blockCount).map { block in
      let middle = Double(rows.lowerBound) + (Double(block) + 0.5) * Double(lanesMax)
      return ParallelBeam(columns: columns, rotationAxis: axis + tilt.slope * (middle - tilt.middle))
    }
  }

  /// Whether the axis crosses the detector in each of so many rows.
  func crossesDetector(rows: Int) -> Bool {
    guard let tilt else { return true }
    return [0, Double(rows)].allSatisfy { row in
      let axis = detectorAxis + tilt.slope * (row - tilt.middle)
      return axis > 0 && axis < Double(detectorColumns)
    }
  }

  /// The tilt of the axis; 0 for none.
  package var tiltDegrees: Double { tilt?.degrees ?? 0 }

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
