import Host
import ScanFiles

/// Degrees in radians.
func radians(_ degrees: [Double]) -> [Double] { degrees.map { $0 * .pi / 180 } }

extension ScanInfo {
  /// Projections, rows, columns.
  var shape: [Int] { [projectionCount, rows, columns] }
  /// Projections, flats, darks, invalid frames.
  var counts: [Int] { [projectionCount, flatCount, darkCount, invalidCount] }
  /// The pixels of projections, flats and darks.
  var pixels: [PixelType] { [pixel, flatPixel, darkPixel] }
}

/// Which frames of a scan are meant.
enum FrameKind { case projection, flat, dark }

extension ScanReader {
  /// Rows of a frame as numbers; all rows without a range.
  func values(_ kind: FrameKind = .projection, _ index: Int, rows: Range<Int>? = nil) throws -> [Double] {
    let rows = rows ?? 0..<info.rows
    let pixel =
      switch kind {
      case .projection: info.pixel
      case .flat: info.flatPixel
      case .dark: info.darkPixel
      }
    var bytes = [UInt8](repeating: 0xEE, count: rows.count * info.columns * pixel.byteCount)
    try bytes.withUnsafeMutableBytes { buffer in
      switch kind {
      case .projection: try readProjection(index, rows: rows, into: buffer)
      case .flat: try readFlat(index, rows: rows, into: buffer)
      case .dark: try readDark(index, rows: rows, into: buffer)
      }
    }
    return bytes.withUnsafeBytes { buffer in
      switch pixel {
      case .uint8: buffer.map(Double.init)
      case .uint16: buffer.bindMemory(to: UInt16.self).map(Double.init)
      case .uint32: buffer.bindMemory(to: UInt32.self).map(Double.init)
      case .float32: buffer.bindMemory(to: Float.self).map(Double.init)
      }
    }
  }

  /// Reads every frame, for the failures on the way.
  func readEverything() throws {
    for index in 0..<info.projectionCount { _ = try values(.projection, index) }
    for index in 0..<info.flatCount { _ = try values(.flat, index) }
    for index in 0..<info.darkCount { _ = try values(.dark, index) }
  }
}
