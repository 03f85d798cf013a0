import Host
import ScanFiles
import Tomography

/// Reads one detector row of a whole scan file as line integrals: without the projections and flats that show nothing
/// there, and with pixels interpolated that never see anything.
struct SinogramReader {
  let reader: any ScanReader
  let row: Int
  let minusLog: Bool

  /// Line integrals, projection by projection, the projections' thetas, and the flats and darks of the row, with what
  /// their noise tells.
  func read() throws -> (sinogram: [Float], thetas: [Double], fields: FlatDarkAccumulator) {
    let info = reader.info
    var fields = FlatDarkAccumulator(rows: 1, columns: info.columns)
    var (darkSum, flatSum) = (0.0, 0.0)
    var level: BeamLevel {
      BeamLevel(darks: (darkSum, fields.darkCount), flats: (flatSum, fields.flatCount))
    }
    for index in 0..<info.darkCount {
      let line = try read(info.darkPixel) { try reader.readDark(index, rows: row..<row + 1, into: $0) }
      line.withUnsafeBytes { fields.add(dark: $0, type: info.darkPixel) }
      darkSum += total(line, info.darkPixel).sum
    }
    for index in 0..<info.flatCount {
      let line = try read(info.flatPixel) { try reader.readFlat(index, rows: row..<row + 1, into: $0) }
      let total = total(line, info.flatPixel)
      if minusLog, level.isEmpty(flat: total) { continue }
      line.withUnsafeBytes { fields.add(flat: $0, type: info.flatPixel) }
      flatSum += total.sum
    }
    var (lines, thetas): ([[UInt8]], [Double]) = ([], [])
    for index in 0..<info.projectionCount {
      let line = try read(info.pixel) { try reader.readProjection(index, rows: row..<row + 1, into: $0) }
      if minusLog, level.isEmpty(projection: total(line, info.pixel)) { continue }
      lines.append(line)
      thetas.append(info.thetas[index])
    }
    return (correct(lines, fields), thetas, fields)
  }

  private func correct(_ lines: [[UInt8]], _ fields: FlatDarkAccumulator) -> [Float] {
    let info = reader.info
    let correction = Correction(rows: 1, columns: info.columns, flats: fields, minusLog: minusLog)
    var silent = SilentPixels(rows: 1, columns: info.columns)
    if minusLog {
      let count = min(SilentPixels.spread, lines.count)
      for part in 0..<count {
        lines[part * lines.count / count].withUnsafeBytes {
          correction.note($0.baseAddress!, type: info.pixel, in: &silent)
        }
      }
    }
    var sinogram = [Float](repeating: 0, count: lines.count * info.columns)
    sinogram.withUnsafeMutableBufferPointer { sinogram in
      for (index, line) in lines.enumerated() {
        line.withUnsafeBytes {
          _ = correction.apply(
            $0.baseAddress!, type: info.pixel, into: sinogram.baseAddress! + index * info.columns, silent: silent)
        }
      }
    }
    return sinogram
  }

  private func total(_ line: [UInt8], _ pixel: PixelType) -> ImageTotal {
    line.withUnsafeBytes { ImageTotal($0, type: pixel) }
  }

  private func read(_ pixel: PixelType, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws -> [UInt8] {
    var line = [UInt8](repeating: 0, count: reader.info.columns * pixel.byteCount)
    try line.withUnsafeMutableBytes { try body($0) }
    return line
  }
}
