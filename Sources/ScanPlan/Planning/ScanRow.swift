import Host
import KernelTypes
import ScanFiles
import Tomography

/// One detector row of a scan file, as line integrals, with all that a reconstruction outside of a run needs.
package struct ScanRow {
  /// Columns of the detector.
  package let columns: Int
  /// Radians, one a projection.
  package let thetas: [Double]
  /// Projections × columns.
  package let lines: [Float]
  /// Pixels from the detector's left edge.
  package let rotationAxis: Double
  /// σ of a line integral, from the flats; nil where they do not tell.
  package let noise: Float?

  /// Reads row `row`, the middle one if nil. The axis is looked for if it is not given.
  /// - Throws: as `openScan`; `ScanFailure` for a row or an axis that the detector does not have; `RotationAxisError`.
  package init(path: String, row: Int?, rotationAxis: Double?) throws {
    let reader = try openScan(path: path), info = reader.info, row = row ?? info.rows / 2
    guard (0..<info.rows).contains(row) else {
      throw ScanFailure(.data, "row \(row) is not one of the detector's \(info.rows)")
    }
    guard info.columns <= SliceLayout.columnsMax else {
      throw ScanFailure(.data, "\(info.columns) columns exceed the \(SliceLayout.columnsMax) that can be reconstructed")
    }
    let (lines, thetas, fields) = try SinogramReader(reader: reader, row: row, minusLog: info.hasFlats).read()
    guard !thetas.isEmpty else { throw ScanFailure(.data, "every projection of \(path) is empty in row \(row)") }
    let axis =
      try rotationAxis
      ?? lines.withUnsafeBufferPointer {
        try estimateRotationAxis(sinogram: $0, angles: thetas, columns: info.columns).axis
      }
    guard axis > 0, axis < Double(info.columns) else {
      throw ScanFailure(.data, "--rotation-axis \(axis) is outside the detector, which has \(info.columns) columns")
    }
    (columns, self.thetas, self.lines, self.rotationAxis) = (info.columns, thetas, lines, axis)
    noise = Self.noise(of: lines, fields, thetas: thetas)
  }

  private static func noise(of lines: [Float], _ fields: FlatDarkAccumulator, thetas: [Double]) -> Float? {
    guard let photons = PhotonNoise(fields) else { return nil }
    let layout = SliceLayout(columns: fields.columns, rows: 1)
    let sinogram = ScratchMemory(byteCount: layout.sinogramBlockByteCount(slots: thetas.count))
    let angles = thetas.enumerated().map { WindowAngle(theta: $1, slot: $0) }
    for slot in thetas.indices {
      layout.storeProjection(
        Array(lines[slot * fields.columns..<(slot + 1) * fields.columns]), blocks: 0..<1, slot: slot,
        slots: thetas.count, into: sinogram.start)
    }
    let noise = photons.noise(block: 0, layout: layout, sinogram: sinogram.start, slots: thetas.count, angles: angles)
    return noise.first.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
  }
}
