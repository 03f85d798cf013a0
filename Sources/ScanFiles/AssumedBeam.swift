package import Host

/// The intensity of the beam where no flat field says it, in detector units as a flat field has them: with the dark
/// field in it.
package enum BeamIntensity: Equatable, Sendable {
  /// Somebody says it, for every pixel.
  case value(Double)
  /// The projections' border shows it, where there is no sample: each row's, in its outermost columns.
  case border
}

extension ScanReader {
  /// The same scan with one flat field, which is `beam`.
  /// - Throws: `.badData` where the scan has flat fields, or shows no beam at its border.
  package func assuming(_ beam: BeamIntensity) throws(FileError) -> any ScanReader {
    guard !info.hasFlats else {
      throw .badData(path: info.path, reason: "it has flat fields, and --i0 is for scans that have none")
    }
    return try AssumedBeamReader(self, beam)
  }
}

/// A scan that has a flat field which nobody measured.
final class AssumedBeamReader: ScanReader {
  let info: ScanInfo
  private let scan: any ScanReader
  /// The flat field's value in each row.
  private let rows: [Float]

  /// Projections that are looked at for the border, evenly spread, and the part of the columns at each side.
  private static let (projectionsMax, share) = (32, 64)

  fileprivate init(_ scan: any ScanReader, _ beam: BeamIntensity) throws(FileError) {
    self.scan = scan
    let notice: String
    switch beam {
    case .value(let value):
      rows = Array(repeating: Float(value), count: scan.info.rows)
      notice = "no flat fields: the beam is taken to be \(value) everywhere, as was said"
    case .border:
      rows = try Self.border(scan)
      let mean = rows.reduce(0) { $0 + Double($1) } / Double(rows.count)
      notice = "no flat fields: the beam is taken from the projections' border, where it is \(Float(mean)) in the mean"
    }
    info = scan.info.adding(flat: notice)
  }

  /// Of each row, the median over some projections of the mean of the outermost columns.
  private static func border(_ scan: any ScanReader) throws(FileError) -> [Float] {
    let info = scan.info, width = min(max(2, info.columns / share), info.columns)
    let count = min(projectionsMax, info.projectionCount)
    let image = UnsafeMutableRawBufferPointer.allocate(
      byteCount: info.rows * info.columns * info.pixel.byteCount, alignment: 64)
    defer { image.deallocate() }
    var means: [[Float]] = []
    for part in 0..<count {
      try scan.readProjection(part * info.projectionCount / count, rows: 0..<info.rows, into: image)
      means.append(
        (0..<info.rows).map { row in
          let columns = Array(0..<width) + Array(info.columns - width..<info.columns)
          let values = columns.map { info.pixel.value(in: UnsafeRawBufferPointer(image), at: row * info.columns + $0) }
          return values.reduce(0, +) / Float(values.count)
        })
    }
    let border = (0..<info.rows).map { row in means.map { $0[row] }.sorted()[count / 2] }
    guard border.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw .badData(path: info.path, reason: "its projections show no beam at their border; give --i0 a value")
    }
    return border
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readProjection(index, rows: rows, into: buffer)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    fill(buffer, with: self.rows[rows], columns: info.columns)
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readDark(index, rows: rows, into: buffer)
  }
}

/// A flat field that somebody says, and nothing else: for a source that sends none.
package final class AssumedBeamFields: ScanReader {
  /// What it is: one flat field.
  package let info: ScanInfo
  private let value: Float

  /// A flat field of `value` everywhere.
  package init(rows: Int, columns: Int, value: Double) {
    self.value = Float(value)
    info = ScanInfo(
      path: "--i0 \(value)", format: .live, projectionCount: 0, rows: rows, columns: columns, pixel: .float32,
      flatPixel: .float32, darkPixel: .float32, thetas: [], thetaSource: "", flatCount: 1, darkCount: 0,
      invalidCount: 0, pixelSizeMillimetres: nil, notices: [])
  }

  /// There is none.
  package func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
    preconditionFailure("projection \(index) of none")
  }

  /// The value.
  package func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
    precondition(index == 0, "flat \(index) of 1")
    fill(buffer, with: Array(repeating: value, count: rows.count)[...], columns: info.columns)
  }

  /// There is none.
  package func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
    preconditionFailure("dark \(index) of none")
  }
}

private func fill(_ buffer: UnsafeMutableRawBufferPointer, with rows: ArraySlice<Float>, columns: Int) {
  precondition(
    buffer.count == rows.count * columns * MemoryLayout<Float>.stride, "\(buffer.count) B for \(rows.count) rows")
  buffer.withMemoryRebound(to: Float.self) { pixels in
    for (row, value) in rows.enumerated() {
      UnsafeMutableBufferPointer(rebasing: pixels[row * columns..<(row + 1) * columns]).update(repeating: value)
    }
  }
}

extension ScanInfo {
  /// The same with a flat field of single precision.
  fileprivate func adding(flat notice: String) -> ScanInfo {
    var info = self
    (info.flatCount, info.flatPixel, info.flatsBehind) = (1, .float32, nil)
    info.notices.append(notice)
    return info
  }
}

extension PixelType {
  /// A pixel of an image.
  func value(in image: UnsafeRawBufferPointer, at index: Int) -> Float {
    switch self {
    case .uint8: Float(image[index])
    case .uint16: Float(image.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
    case .uint32: Float(image.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
    case .float32: image.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
    }
  }
}
