/// SIRT written out with a dense matrix in double precision.
struct DenseSIRT {
  let columns: Int
  let axis: Double
  var relaxation = 1.0
  var isNonNegative = false
  var isDisk = false
  var slice: [Double]

  /// One iteration over projections `data[angle][bin]` at `thetas`, each of which counts for its share; returns
  /// ‖b − A x‖² and ‖b‖² from before it.
  mutating func iterate(
    _ data: [[Float]], thetas: [Double], shares: [Float]? = nil
  ) -> (residual: Double, data: Double) {
    let reference = JosephReference(columns: columns, axis: axis)
    var update = slice.map { _ in 0.0 }, columnSums = update, residualSquared = 0.0, dataSquared = 0.0
    for (angle, theta) in thetas.enumerated() {
      let share = Double(shares?[angle] ?? 1)
      for bin in 0..<columns {
        var projected = 0.0, rowSum = 0.0
        reference.forEachWeight(theta: theta, bin: bin) { pixel, weight in
          projected += weight * slice[pixel]
          rowSum += isInside(pixel) ? weight : 0
        }
        let difference = Double(data[angle][bin]) - projected
        residualSquared += difference * difference
        dataSquared += Double(data[angle][bin]) * Double(data[angle][bin])
        reference.forEachWeight(theta: theta, bin: bin) { pixel, weight in
          columnSums[pixel] += share * weight
          if rowSum > 1e-3 { update[pixel] += share * weight * difference / rowSum }
        }
      }
    }
    for pixel in slice.indices where columnSums[pixel] > 1e-3 && isInside(pixel) {
      slice[pixel] += relaxation * update[pixel] / columnSums[pixel]
      if isNonNegative { slice[pixel] = max(0, slice[pixel]) }
    }
    return (residualSquared, dataSquared)
  }

  func isInside(_ pixel: Int) -> Bool {
    let half = Double(columns) / 2, x = Double(pixel % columns) + 0.5 - half, y = half - Double(pixel / columns) - 0.5
    return !isDisk || x * x + y * y <= half * half
  }
}
