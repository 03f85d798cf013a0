import Host
import ScanFiles
import Tomography

/// Reads one detector row of a whole scan file as line integrals.
struct SinogramReader {
  let reader: any ScanReader
  let row: Int
  let minusLog: Bool

  /// Line integrals, projection by projection, the projections' thetas, and the flats and darks of the row, with what
  /// their noise tells. See `RowCounts`.
  func read() throws -> (sinogram: [Float], thetas: [Double], fields: FlatDarkAccumulator) {
    let info = reader.info
    var counts = RowCounts(columns: info.columns, minusLog: minusLog)
    for index in 0..<info.darkCount {
      let line = try read(info.darkPixel) { try reader.readDark(index, rows: row..<row + 1, into: $0) }
      line.withUnsafeBytes { counts.add(dark: $0, type: info.darkPixel) }
    }
    for index in 0..<info.flatCount {
      let line = try read(info.flatPixel) { try reader.readFlat(index, rows: row..<row + 1, into: $0) }
      line.withUnsafeBytes { counts.add(flat: $0, type: info.flatPixel) }
    }
    for index in 0..<info.projectionCount {
      let line = try read(info.pixel) { try reader.readProjection(index, rows: row..<row + 1, into: $0) }
      line.withUnsafeBytes { counts.add(projection: $0, type: info.pixel, theta: info.thetas[index]) }
    }
    let (lines, thetas) = counts.lineIntegrals()
    return (lines, thetas, counts.fields)
  }

  private func read(_ pixel: PixelType, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws -> [UInt8] {
    var line = [UInt8](repeating: 0, count: reader.info.columns * pixel.byteCount)
    try line.withUnsafeMutableBytes { try body($0) }
    return line
  }
}
