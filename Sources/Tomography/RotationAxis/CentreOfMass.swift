import Glibc

/// Finds the axis from where each projection has its centre of mass, which goes round in a circle: at
/// axis + a cos θ + b sin θ (the first of the conditions of S. Helgason, The Radon Transform, 1980, and D. Ludwig,
/// Comm. Pure Appl. Math. 19, 1966, 49–81). It needs no two projections half a turn apart and few of them, but a sample
/// that never leaves the detector.
struct CentreOfMass {
  /// Of a side, one column in so many, and two at least.
  private static let share = 64
  /// What columns beside the sample may show, in standard deviations of their mean and as a part of the largest values.
  private static let (deviationsMax, partMax) = (4.0, 0.01)
  /// Pixels; bins are no points.
  private static let errorMin = 0.01
  /// Projections that may show more, by chance.
  private static let countMax = 0.02
  /// Columns whose differences give the noise, of values so far apart that smoothing left them independent.
  private static let (stripMin, apart) = (8, 5)
  /// From the median of absolute differences of two values to their standard deviation (normal distribution), and from
  /// that of smoothed values to that before.
  private static let deviation = 1 / (0.6745 * 1.41421356) / 0.523

  /// The axis in pixels and its standard error; nil where the sample leaves the detector or nothing is seen of it.
  static func axis(_ sinogram: SortedSinogram) -> AxisPosition? {
    let columns = sinogram.columns, width = max(2, columns / share), count = sinogram.thetas.count
    let strip = min(columns, max(Self.stripMin, width))
    var masses: [Double] = [], moments: [Double] = []
    var edges: (left: [Double], right: [Double]) = ([], []), steps: [Double] = []
    for angle in 0..<count {
      let line = sinogram.projection(angle)
      masses.append(line.reduce(0) { $0 + Double($1) })
      moments.append(line.enumerated().reduce(0) { $0 + (Double($1.offset) + 0.5) * Double($1.element) })
      edges.left.append(line.prefix(width).reduce(0) { $0 + Double($1) } / Double(width))
      edges.right.append(line.suffix(width).reduce(0) { $0 + Double($1) } / Double(width))
      for side in [line.prefix(strip), line.suffix(strip)] {
        steps += zip(side, side.dropFirst(apart)).map { Double(abs($0 - $1)) }
      }
    }
    let mass = masses.reduce(0, +) / Double(count)
    guard mass > 0 else { return nil }
    let noise = steps.isEmpty ? 0 : steps.sorted()[steps.count / 2] * deviation
    let sorted = sinogram.values.sorted(), most = Double(sorted[sorted.count - 1 - sorted.count / 20])
    let least = max(deviationsMax * noise / Double(width).squareRoot(), partMax * most)
    let outside = (edges.left + edges.right).count { abs($0) > least }
    guard Double(outside) <= countMax * Double(2 * count) else { return nil }
    guard let fit = circle(sinogram.thetas, masses: masses, moments: moments) else { return nil }
    // Air that is not zero, or not as much at both sides, moves all centres alike.
    let left = edges.left.reduce(0, +) / Double(count), right = edges.right.reduce(0, +) / Double(count)
    let level = abs(left + right) / 2 * Double(columns) * abs(Double(columns) / 2 - fit.axis) / mass
    let slope = abs(right - left) * Double(columns * columns) / 12 / mass
    return AxisPosition(axis: fit.axis, error: Self.rootOfSquares([fit.error, level, slope, Self.errorMin]))
  }

  private static func rootOfSquares(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// moment = mass · (axis + a cos θ + b sin θ), by least squares.
  private static func circle(_ thetas: [Double], masses: [Double], moments: [Double]) -> AxisPosition? {
    guard thetas.count >= 6 else { return nil }
    // Normal equations, bordered by the right side: elimination leaves the solution there.
    var rows = [[Double]](repeating: [Double](repeating: 0, count: 7), count: 3)
    for (theta, (mass, moment)) in zip(thetas, zip(masses, moments)) {
      let columns = [mass, mass * cos(theta), mass * sin(theta)]
      for i in 0..<3 {
        for j in 0..<3 { rows[i][j] += columns[i] * columns[j] }
        rows[i][3] += columns[i] * moment
      }
    }
    for i in 0..<3 { rows[i][4 + i] = 1 }
    for i in 0..<3 {
      let pivot = rows[i][i]
      guard abs(pivot) > 1e-12 * masses[0] * masses[0] else { return nil }
      rows[i] = rows[i].map { $0 / pivot }
      for j in 0..<3 where j != i {
        let factor = rows[j][i]
        rows[j] = zip(rows[j], rows[i]).map { $0 - factor * $1 }
      }
    }
    let (axis, a, b) = (rows[0][3], rows[1][3], rows[2][3])
    let squares = thetas.indices.reduce(0.0) { sum, index in
      let rest = moments[index] - masses[index] * (axis + a * cos(thetas[index]) + b * sin(thetas[index]))
      return sum + rest * rest
    }
    let error = (squares / Double(thetas.count - 3) * rows[0][4]).squareRoot()
    return error.isFinite && axis.isFinite ? AxisPosition(axis: axis, error: error) : nil
  }
}
