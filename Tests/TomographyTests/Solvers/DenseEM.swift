import Tomography

/// Expectation maximisation written out with a dense matrix in double precision.
struct DenseEM {
  let columns: Int
  let axis: Double
  var options = EMOptions()
  var slice: [Double]

  /// One iteration over projections `data[angle][bin]` at `thetas`; returns ‖b − A x‖² and ‖b‖² from before it.
  mutating func iterate(_ data: [[Float]], thetas: [Double]) -> (residual: Double, data: Double) {
    let reference = JosephReference(columns: columns, axis: axis)
    var back = slice.map { _ in 0.0 }, sums = back, residualSquared = 0.0, dataSquared = 0.0
    for (angle, theta) in thetas.enumerated() {
      for bin in 0..<columns {
        var projected = 0.0
        reference.forEachWeight(theta: theta, bin: bin) { projected += $1 * slice[$0] }
        let measured = max(0, Double(data[angle][bin]))
        residualSquared += (measured - projected) * (measured - projected)
        dataSquared += measured * measured
        reference.forEachWeight(theta: theta, bin: bin) { pixel, weight in
          sums[pixel] += weight
          if projected > 1e-25 { back[pixel] += weight * measured / projected }
        }
      }
    }
    let old = slice
    for pixel in slice.indices where sums[pixel] > 1e-3 && isInside(pixel) {
      slice[pixel] = max(
        Double(options.factorMin) * old[pixel], root(pixel, old, expected: old[pixel] * back[pixel], sum: sums[pixel]))
    }
    return (residualSquared, dataSquared)
  }

  /// The maximum of the surrogate: 2 f x² + g x − e = 0.
  private func root(_ pixel: Int, _ old: [Double], expected e: Double, sum: Double) -> Double {
    let (strength, delta): (Double, Double) =
      switch options.penalty {
      case nil: (0, .infinity)
      case .quadratic(let strength): (Double(strength), .infinity)
      case .hybrid(let strength, let delta): (Double(strength), Double(delta))
      }
    guard strength > 0 else { return e / sum }
    var f = 0.0, g = sum
    for (neighbour, weight) in neighbours(pixel) {
      let curvature = weight / (1 + abs(old[pixel] - old[neighbour]) / delta)
      f += 2 * strength * curvature
      g -= 2 * strength * curvature * (old[pixel] + old[neighbour])
    }
    return f == 0 ? e / g : (-g + (g * g + 8 * e * f).squareRoot()) / (4 * f)
  }

  private func neighbours(_ pixel: Int) -> [(Int, Double)] {
    var found: [(Int, Double)] = []
    let total = 4 + 2 * 2.0.squareRoot()
    for (row, column) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] {
      let y = pixel / columns + row, x = pixel % columns + column
      guard (0..<columns).contains(x), (0..<columns).contains(y), isInside(y * columns + x) else { continue }
      found.append((y * columns + x, (row == 0 || column == 0 ? 1 : 0.5.squareRoot()) / total))
    }
    return found
  }

  func isInside(_ pixel: Int) -> Bool {
    let half = Double(columns) / 2, x = Double(pixel % columns) + 0.5 - half, y = half - Double(pixel / columns) - 0.5
    return !options.diskMask || x * x + y * y <= half * half
  }
}
