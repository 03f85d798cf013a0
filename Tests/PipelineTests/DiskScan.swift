import Foundation
import Host
import ScanFiles

/// A scan of four disks, whose line integrals are exact: 90 angles over half a turn, two rows of 64 columns, the
/// rotation axis at 31, 100 counts of dark and 20,000 of beam.
struct DiskScan {
  static let (rows, columns, projections, axis) = (2, 64, 90, 31.0)
  private static let samples = 8
  /// Position and radius in pixels, attenuation in 1/pixel.
  private static let disks: [(x: Double, y: Double, radius: Double, value: Double)] = [
    (0, 0, 22, 0.01), (8, -5, 6, 0.02), (-9, 7, 4, -0.008), (3, 12, 3, 0.03),
  ]

  /// Counts, an image an element.
  var darks = [[UInt16]](repeating: image { _ in 100 }, count: 3)
  var flats = [[UInt16]](repeating: image { _ in 20_100 }, count: 3)
  var frames = (0..<projections).map(counts)

  static func image(_ value: (Int) -> UInt16) -> [UInt16] { (0..<rows * columns).map { value($0 % columns) } }

  private static func counts(_ projection: Int) -> [UInt16] {
    let theta = Double(projection) * .pi / Double(projections)
    let line = (0..<columns).map { column in
      let integral = (0..<samples).reduce(0.0) { sum, sample in
        let edge = Double(column) + (Double(sample) + 0.5) / Double(samples)
        return sum
          + disks.reduce(0.0) { sum, disk in
            let t = edge - axis - disk.x * cos(theta) + disk.y * sin(theta)
            return sum + 2 * disk.value * max(0, disk.radius * disk.radius - t * t).squareRoot()
          } / Double(samples)
      }
      return UInt16((100 + 20_000 * exp(-integral)).rounded())
    }
    return image { line[$0] }
  }

  /// Writes the scan.
  func write(_ path: String) throws {
    let writer = try DXchangeWriter(
      path: path, projectionCount: frames.count, rows: Self.rows, columns: Self.columns, pixel: .uint16,
      flatCount: flats.count, darkCount: darks.count,
      thetasDegrees: frames.indices.map { Double($0) * 180 / Double(Self.projections) })
    for (index, dark) in darks.enumerated() { try dark.withUnsafeBytes { try writer.writeDark(index, $0) } }
    for (index, flat) in flats.enumerated() { try flat.withUnsafeBytes { try writer.writeFlat(index, $0) } }
    for (index, frame) in frames.enumerated() { try frame.withUnsafeBytes { try writer.writeProjection(index, $0) } }
    try writer.finish()
  }

  /// ‖volume − truth‖ / ‖truth‖ of the first slice inside a circle of 0.42 of the columns.
  static func distance(_ path: String) throws -> Double {
    let volume = try VolumeReader(path: path)
    var slice = [Float](repeating: 0, count: columns * columns)
    try slice.withUnsafeMutableBufferPointer { try volume.readSlice(0, into: $0) }
    let middle = Double(columns - 1) / 2
    var (difference, whole) = (0.0, 0.0)
    for pixel in slice.indices {
      let (x, y) = (Double(pixel % columns) - middle, Double(pixel / columns) - middle)
      guard x * x + y * y < 0.42 * 0.42 * Double(columns * columns) else { continue }
      let truth = (0..<samples * samples).reduce(0.0) { sum, sample in
        let dx = (Double(sample % samples) + 0.5) / Double(samples) - 0.5
        let dy = (Double(sample / samples) + 0.5) / Double(samples) - 0.5
        return sum
          + disks.reduce(0.0) {
            let (u, v) = (x + dx - $1.x, y + dy - $1.y)
            return $0 + (u * u + v * v < $1.radius * $1.radius ? $1.value : 0)
          } / Double(samples * samples)
      }
      difference += (Double(slice[pixel]) - truth) * (Double(slice[pixel]) - truth)
      whole += truth * truth
    }
    return (difference / whole).squareRoot()
  }
}
