import Foundation
import Host
import ScanFiles

/// A scan of disks that are wider than the detector together, whose line integrals are exact: a turn in steps of 1.5
/// degrees, 64 columns, the rotation axis near an edge of them; 100 counts of dark and 20,000 of beam. A row sees the
/// disks larger the lower it is.
struct WideScan {
  static let (columns, projections) = (64, 240)
  private static let samples = 8
  /// Position and radius in pixels, attenuation in 1/pixel.
  private static let disks: [(x: Double, y: Double, radius: Double, value: Double)] = [
    (0, 0, 46, 0.01), (20, -25, 8, 0.02), (-28, 15, 6, -0.008), (5, 35, 5, 0.03), (-5, 3, 7, 0.02),
  ]

  var rows = 2
  var axis = 12.0
  var range = 360.0

  private func growth(_ row: Int) -> Double { 1 + 0.01 * Double(row) }

  private var thetasDegrees: [Double] {
    (0..<Self.projections).map { Double($0) * range / Double(Self.projections) }
  }

  /// Counts of a projection, row by row.
  private func counts(_ theta: Double) -> [UInt16] {
    (0..<rows).flatMap { row in
      (0..<Self.columns).map { column in
        let integral = (0..<Self.samples).reduce(0.0) { sum, sample in
          let edge = Double(column) + (Double(sample) + 0.5) / Double(Self.samples)
          return sum
            + Self.disks.reduce(0.0) { sum, disk in
              let t = (edge - axis) / growth(row) - disk.x * cos(theta) + disk.y * sin(theta)
              return sum + 2 * disk.value * growth(row) * max(0, disk.radius * disk.radius - t * t).squareRoot()
            } / Double(Self.samples)
        }
        return UInt16((100 + 20_000 * exp(-integral)).rounded())
      }
    }
  }

  /// Writes the scan.
  func write(_ path: String) throws {
    let writer = try DXchangeWriter(
      path: path, projectionCount: Self.projections, rows: rows, columns: Self.columns, pixel: .uint16, flatCount: 3,
      darkCount: 3, thetasDegrees: thetasDegrees)
    func field(_ value: UInt16) -> [UInt16] { Array(repeating: value, count: rows * Self.columns) }
    for index in 0..<3 {
      try field(100).withUnsafeBytes { try writer.writeDark(index, $0) }
      try field(20_100).withUnsafeBytes { try writer.writeFlat(index, $0) }
    }
    for (index, theta) in thetasDegrees.enumerated() {
      try counts(theta * .pi / 180).withUnsafeBytes { try writer.writeProjection(index, $0) }
    }
    try writer.finish()
  }

  /// ‖volume − truth‖ / ‖truth‖ of a slice inside a circle of 0.42 of its columns around the axis.
  func distance(_ path: String, row: Int = 0) throws -> Double {
    let volume = try VolumeReader(path: path), columns = volume.columns
    var slice = [Float](repeating: 0, count: columns * columns)
    try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row, into: $0) }
    let middle = Double(columns - 1) / 2, size = Self.samples * Self.samples
    var (difference, whole) = (0.0, 0.0)
    for pixel in slice.indices {
      let (x, y) = (Double(pixel % columns) - middle, Double(pixel / columns) - middle)
      guard x * x + y * y < 0.42 * 0.42 * Double(columns * columns) else { continue }
      let truth = (0..<size).reduce(0.0) { sum, sample in
        let dx = (Double(sample % Self.samples) + 0.5) / Double(Self.samples) - 0.5
        let dy = (Double(sample / Self.samples) + 0.5) / Double(Self.samples) - 0.5
        return sum
          + Self.disks.reduce(0.0) {
            let (u, v) = ((x + dx) / growth(row) - $1.x, (y + dy) / growth(row) - $1.y)
            return $0 + (u * u + v * v < $1.radius * $1.radius ? $1.value : 0)
          } / Double(size)
      }
      difference += (Double(slice[pixel]) - truth) * (Double(slice[pixel]) - truth)
      whole += truth * truth
    }
    return (difference / whole).squareRoot()
  }
}
