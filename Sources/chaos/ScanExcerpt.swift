import Host
import ScanFiles
import ScanPlan

/// Some images of a scan, by their numbers.
struct ScanExcerpt: Hashable {
  let darks: [Int]
  let flats: [Int]
  let projections: [Int]

  /// Whether a volume can be made of them.
  var suffices: Bool { !darks.isEmpty && !flats.isEmpty && !projections.isEmpty }

  /// Writes them as a scan of their own; `range` are the degrees of the whole one.
  func write(of scan: String, range: Double, to path: String) throws {
    let reader = try openScan(path: scan), info = reader.info
    let degrees = projections.map { Double($0) * range / Double(info.projectionCount) }
    let writer = try DXchangeWriter(
      path: path, projectionCount: projections.count, rows: info.rows, columns: info.columns, pixel: info.pixel,
      flatCount: flats.count, darkCount: darks.count, thetasDegrees: degrees)
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: info.rows * info.columns * info.pixel.byteCount, alignment: 64)
    defer { buffer.deallocate() }
    let rows = 0..<info.rows
    for (index, number) in projections.enumerated() {
      try reader.readProjection(number, rows: rows, into: buffer)
      try writer.writeProjection(index, UnsafeRawBufferPointer(buffer))
    }
    for (index, number) in flats.enumerated() {
      try reader.readFlat(number, rows: rows, into: buffer)
      try writer.writeFlat(index, UnsafeRawBufferPointer(buffer))
    }
    for (index, number) in darks.enumerated() {
      try reader.readDark(number, rows: rows, into: buffer)
      try writer.writeDark(index, UnsafeRawBufferPointer(buffer))
    }
    try writer.finish()
    guard try openScan(path: path).info.thetas == projections.map({ info.thetas[$0] }) else {
      throw ScanFailure(.software, "the angles of a shorter scan are not those of the whole one")
    }
  }
}
