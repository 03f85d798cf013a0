import ScanFiles
import Tomography

/// Three cuts through the middle of a volume as grey images, all with the same range of values:
///
/// ```
/// x →  ┌───────────┬────┐
/// y ↓  │   axial   │ s. │ sagittal: z →, y ↓
///      ├───────────┼────┘
/// z ↓  │  coronal  │
///      └───────────┘
/// ```
struct OrthogonalCuts {
  /// Columns of a slice, which has as many rows.
  let columns: Int
  /// Slices of the volume.
  let slices: Int
  /// The slice z = slices / 2, y × x.
  let axial: [UInt8]
  /// The cut y = columns / 2, z × x.
  let coronal: [UInt8]
  /// The cut x = columns / 2, y × z.
  let sagittal: [UInt8]
  /// The values of black and white, in the volume's unit.
  let range: ClosedRange<Float>

  /// So many percent of the axial cut are below black, and as many above white.
  private static let outliers = 0.5

  /// Reads the whole volume, slice by slice.
  /// - Throws: as `VolumeReader.readSlice`.
  init(_ volume: VolumeReader) throws {
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
    let range = axial.withUnsafeBufferPointer { greyRange($0, percentile: Self.outliers) }
    func grey(_ values: [Float]) -> [UInt8] {
      values.withUnsafeBufferPointer { greyLevels($0, low: range.lowerBound, high: range.upperBound) }
    }
    (columns, slices, self.range) = (n, depth, range)
    (self.axial, self.coronal, self.sagittal) = (grey(axial), grey(coronal), grey(sagittal))
  }
}
