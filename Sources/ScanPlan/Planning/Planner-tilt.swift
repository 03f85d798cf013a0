import Glibc
import Host
import ScanFiles
import Tomography

// The tilt of the rotation axis in the plane of the detector.
extension Planner {
  /// Rows that are looked at near the top and, mirrored, near the bottom: parts of all of them.
  private static let places = [1.0 / 16, 1.0 / 8, 3.0 / 16]
  /// Fewer tell no slope.
  private static let rowsMin = 16
  /// Where the axis moves by less between the middle row and the outermost, in pixels, there is none.
  private static let shiftMin = 0.25

  /// Degrees; 0 for none.
  func axisTilt(minusLog: Bool) throws -> Double {
    switch scan.axisTilt {
    case .degrees(let degrees): return degrees
    case .automatic:
      guard info.rows >= Self.rowsMin else { return 0 }
      FaultPoint.axisSearch.reach()
      let top = try axes(Self.places, minusLog: minusLog),
        bottom = try axes(Self.places.map { 1 - $0 }, minusLog: minusLog)
      // The median of all slopes between both: a row that shows little may be wrong by much.
      let slopes = top.flatMap { a in bottom.map { b in (b.axis - a.axis) / Double(b.row - a.row) } }.sorted()
      guard !slopes.isEmpty else {
        throw ScanFailure(
          .data,
          "the rotation axis is not found in rows near the top and the bottom of \(scan.input), so neither is its "
            + "tilt; give --axis-tilt in degrees, or 0")
      }
      let slope = slopes[slopes.count / 2], degrees = atan(slope) * 180 / .pi
      guard abs(degrees) <= AxisTilt.degreesMax else {
        throw ScanFailure(
          .data,
          "the rotation axis seems to be tilted by \((degrees * 100).rounded() / 100)°, and "
            + "\(AxisTilt.degreesMax.scanText)° are the most; give --axis-tilt in degrees, or 0")
      }
      return abs(slope) * 0.5 * Double(info.rows) < Self.shiftMin ? 0 : degrees
    }
  }

  /// The axis in rows that show it.
  private func axes(_ places: [Double], minusLog: Bool) throws -> [(row: Int, axis: Double)] {
    try places.compactMap { place in
      let row = min(Int(place * Double(info.rows)), info.rows - 1)
      do {
        return try axis(ofRow: row, minusLog: minusLog).map { (row, $0.axis) }
      } catch is RotationAxisError {
        return nil
      }
    }
  }

  /// What is worth knowing of it.
  func tiltNotices(_ plan: RunPlan) -> [String] {
    guard scan.axisTilt == .automatic else { return [] }
    let degrees = plan.geometry.tiltDegrees
    return [
      degrees == 0
        ? "no tilt of the rotation axis was found"
        : "the rotation axis is tilted by \((degrees * 1000).rounded() / 1000)°: each slice has its own"
    ]
  }
}
