import Host
import ScanFiles
import Testing

/// Writes some projections of a scan, by their numbers, and unless told otherwise its fields as a scan of their own.
/// `degrees` are between two of its projections.
func copyScan(_ path: String, to copy: String, projections: [Int], degrees: Double, fields: Bool = true) throws {
  let reader = try openScan(path: path)
  let info = reader.info, rows = 0..<info.rows
  let writer = try DXchangeWriter(
    path: copy, projectionCount: projections.count, rows: info.rows, columns: info.columns, pixel: info.pixel,
    flatCount: fields ? info.flatCount : 0,
    darkCount: fields ? info.darkCount : 0, thetasDegrees: projections.map { Double($0) * degrees })
  #expect(projections.allSatisfy { abs(info.thetas[$0] - Double($0) * degrees * .pi / 180) < 1e-9 })
  let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: info.rows * info.columns * info.pixel.byteCount, alignment: 64)
  defer { buffer.deallocate() }
  for (index, projection) in projections.enumerated() {
    try reader.readProjection(projection, rows: rows, into: buffer)
    try writer.writeProjection(index, UnsafeRawBufferPointer(buffer))
  }
  for index in 0..<info.flatCount where fields {
    try reader.readFlat(index, rows: rows, into: buffer)
    try writer.writeFlat(index, UnsafeRawBufferPointer(buffer))
  }
  for index in 0..<info.darkCount where fields {
    try reader.readDark(index, rows: rows, into: buffer)
    try writer.writeDark(index, UnsafeRawBufferPointer(buffer))
  }
  try writer.finish()
}
