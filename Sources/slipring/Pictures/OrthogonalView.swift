package import ScanFiles
package import Stages
import Tomography

/// Three slices through the middle of a volume and the convergence of the run that made it, in one picture:
///
/// ```
/// x →  ┌───────────┬────┬─────────────┐
/// y ↓  │ z middle  │ x  │ convergence │
///      ├───────────┼────┘             │
/// z ↓  │ y middle  │                  │
///      └───────────┴──────────────────┘
/// ```
package struct OrthogonalView {
  private let volume: VolumeReader

  /// A view of the volume in an HDF5 file.
  package init(_ volume: VolumeReader) { self.volume = volume }

  private static let gap = 12
  private static let background: UInt8 = 24

  /// Writes the picture as PNG, complete or not at all.
  package func write(to path: String, report: ExportReport) throws {
    let (n, depth) = (volume.columns, volume.slices)
    let (axial, coronal, sagittal) = try cuts()
    let range = axial.withUnsafeBufferPointer { greyRange($0, percentile: 0.5) }
    func grey(_ image: [Float]) -> [UInt8] {
      image.withUnsafeBufferPointer { greyLevels($0, low: range.lowerBound, high: range.upperBound) }
    }
    let scale = max(1, 512 / n)
    let (edge, side) = (n * scale, depth * scale)
    var canvas = Canvas(
      columns: edge + side + edge + 4 * Self.gap, rows: edge + side + 3 * Self.gap, background: Self.background)
    canvas.paste(grey(axial), columns: n, atX: Self.gap, y: Self.gap, scale: scale)
    canvas.paste(grey(sagittal), columns: depth, atX: 2 * Self.gap + edge, y: Self.gap, scale: scale)
    canvas.paste(grey(coronal), columns: n, atX: Self.gap, y: 2 * Self.gap + edge, scale: scale)
    ConvergencePlot(window: report.windowResiduals, final: report.finalResiduals)
      .draw(on: &canvas, atX: 3 * Self.gap + edge + side, y: Self.gap, size: edge)
    try canvas.write(to: path)
  }

  /// The middle slice (row, column), the cut along x (z, column) and the cut along y (row, z).
  private func cuts() throws -> (axial: [Float], coronal: [Float], sagittal: [Float]) {
    let (n, depth) = (volume.columns, volume.slices)
    var slice = [Float](repeating: 0, count: n * n)
    var (axial, coronal) = (slice, [Float](repeating: 0, count: depth * n))
    var sagittal = coronal
    for z in 0..<depth {
      try slice.withUnsafeMutableBufferPointer { try volume.readSlice(z, into: $0) }
      if z == depth / 2 { axial = slice }
      for index in 0..<n {
        coronal[z * n + index] = slice[n / 2 * n + index]
        sagittal[index * depth + z] = slice[index * n + n / 2]
      }
    }
    return (axial, coronal, sagittal)
  }
}
