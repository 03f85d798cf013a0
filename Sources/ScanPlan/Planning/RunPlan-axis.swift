import Host
package import RunModel
import Stages
import Tomography

// The rotation axis of a live scan that nobody gave.
extension RunPlan {
  /// Whether the axis is found while the scan goes on: the plan does not know it then.
  package var findsAxis: Bool { live != nil && scan.rotationAxis == .automatic }

  /// The rotation axis, in pixels of the detector; nil where it is still to be found.
  package var knownAxis: Double? { findsAxis ? nil : detectorAxis }

  /// What an order says of the axis, in pixels of the detector.
  package func inPixels(_ found: FoundAxis) -> FoundAxis { found.scaled(by: Double(1 << scan.binning)) }

  /// Whether an axis, in pixels of the detector, is in its outer part, as that of a half acquisition.
  package func isOuter(axis: Double) -> Bool {
    ScanGeometry.isOuter(axis: axis / Double(1 << scan.binning), columns: shape.columns)
  }

  /// Where and when `distribute` looks for the axis; nil where it is known. The row is that of a scan file's search.
  var axisSchedule: AxisSchedule? {
    guard findsAxis else { return nil }
    let rows = shape.detectorRows, middle = (rows.lowerBound + rows.upperBound) / 2 - rows.lowerBound
    let row = min(middle >> scan.binning, shape.rows - 1)
    return AxisSchedule(
      row: row, columns: shape.columns, minusLog: minusLog, needsFlats: minusLog && shape.flats > 0,
      projections: shape.projections, offset: tilt.map { $0.slope * (Double(row) + 0.5 - $0.middle) } ?? 0)
  }

  /// The detector beside some rows about any axis, in columns of the payload; nil where the axis is known.
  func beamsAbout(_ rows: Range<Int>) -> (@Sendable (Double) -> [ParallelBeam])? {
    guard findsAxis else { return nil }
    return { geometry(about: $0).beams(rows: rows) }
  }

  /// Bytes of what `distribute` keeps for the search.
  var axisSearchByteCount: Int {
    guard findsAxis else { return 0 }
    let isWide = correction != nil || shape.payloadCapacity > 2 * shape.rows * shape.columns
    return RowCounts.byteCount(
      projections: shape.projections, columns: shape.columns, type: isWide ? .float32 : .uint16)
  }
}
