/// Standard deviation of the noise in consecutive slices of a reconstruction.
///
/// Every detector row has its own noise, so what differs between neighbouring slices is noise nearly everywhere,
/// whatever its correlation within a slice: σ = median(|a − b|) / (0.6745 √2) over the inscribed disc. The median
/// passes over the few voxels where the sample changes. A single slice has no neighbour: then σ = median(|d|) / 0.6745
/// over its finest diagonal Haar coefficients d, which is too small where the noise of neighbouring voxels is
/// correlated. Both medians are those of D. L. Donoho and I. M. Johnstone, Biometrika 81 (1994) 425–455.
///
/// Differences of exactly zero are left out: voxels that a method holds at zero carry no noise.
///
/// - Parameters:
///   - slices: `count` slices of columns × columns voxels. About 260,000 evenly spaced differences of them are looked
///     at.
/// - Returns: 0 where there is nothing to look at.
package func noiseLevel(of slices: UnsafePointer<Float>, count: Int, columns: Int) -> Float {
  precondition(count > 0 && columns > 0, "\(count) slices of \(columns) columns")
  let size = columns * columns
  // An odd step, so that it does not fall on the same columns of every row.
  let step = max(1, max(1, count - 1) * size / 262_144) | 1
  let half = Double(columns) / 2
  var differences: [Float] = []
  differences.reserveCapacity(count * size / step + count)
  for index in stride(from: 0, to: max(1, count - 1) * size, by: step) {
    let (slice, row, column) = (index / size, index % size / columns, index % columns)
    let (x, y) = (Double(column) + 0.5 - half, Double(row) + 0.5 - half)
    guard x * x + y * y < half * half else { continue }
    let voxel = slices + slice * size + row * columns + column
    let difference: Float
    if count > 1 {
      difference = abs(voxel[0] - voxel[size]) * Float(0.5).squareRoot()
    } else {
      guard row + 1 < columns, column + 1 < columns else { continue }
      difference = abs(voxel[0] - voxel[1] - voxel[columns] + voxel[columns + 1]) / 2
    }
    if difference > 0, difference.isFinite { differences.append(difference) }
  }
  guard !differences.isEmpty else { return 0 }
  differences.sort()
  return differences[differences.count / 2] / 0.6745
}
