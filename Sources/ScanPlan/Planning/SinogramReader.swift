import Host
import ScanFiles
import Tomography

/// Reads one detector row of a whole scan file as line integrals.
struct SinogramReader {
  let reader: any ScanReader
  let row: Int
  let minusLog: Bool

  /// Projections × columns line integrals.
  func read() throws -> [Float] { try readWithFields().lines }

  /// The same, and the flats and darks of the row, with what their noise tells.
  func readWithFields() throws -> (lines: [Float], fields: FlatDarkAccumulator) {
    let info = reader.info
    var fields = FlatDarkAccumulator(rows: 1, columns: info.columns, tracksNoise: true)
    for index in 0..<info.darkCount {
      try withRow(info.darkPixel) { buffer in
        try reader.readDark(index, rows: row..<row + 1, into: buffer)
        fields.add(dark: UnsafeRawBufferPointer(buffer), type: info.darkPixel)
      }
    }
    for index in 0..<info.flatCount {
      try withRow(info.flatPixel) { buffer in
        try reader.readFlat(index, rows: row..<row + 1, into: buffer)
        fields.add(flat: UnsafeRawBufferPointer(buffer), type: info.flatPixel)
      }
    }
    let correction = Correction(rows: 1, columns: info.columns, flats: fields, minusLog: minusLog)
    var sinogram = [Float](repeating: 0, count: info.projectionCount * info.columns)
    for index in 0..<info.projectionCount {
      try withRow(info.pixel) { buffer in
        try reader.readProjection(index, rows: row..<row + 1, into: buffer)
        sinogram.withUnsafeMutableBufferPointer {
          _ = correction.apply(
            UnsafeRawPointer(buffer.baseAddress!), type: info.pixel, into: $0.baseAddress! + index * info.columns)
        }
      }
    }
    return (sinogram, fields)
  }

  private func withRow(_ pixel: PixelType, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    try withUnsafeTemporaryAllocation(byteCount: reader.info.columns * pixel.byteCount, alignment: 64) { try body($0) }
  }
}
