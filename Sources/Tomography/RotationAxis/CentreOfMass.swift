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
  /// What is no more of the sample, as a part of the largest mean, and columns that are taken beyond.
  private static let (tailMax, windowMargin) = (0.003...0.02, 4)
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
    guard let whole = circle(sinogram.thetas, masses: masses, moments: moments) else { return nil }
    // Air that is not zero moves all centres towards the detector's middle, and not as much at both sides beside it.
    let left = edges.left.reduce(0, +) / Double(count), right = edges.right.reduce(0, +) / Double(count)
    let slope = abs(right - left) / Double(columns) / 12 / mass
    func position(_ fit: Circle, level: Double, width: Double) -> AxisPosition {
      AxisPosition(
        axis: fit.axis, error: rootOfSquares([fit.error, level, slope * width * width * width, errorMin]))
    }
    let level = abs(left + right) / 2 * Double(columns) * abs(Double(columns) / 2 - whole.axis) / mass
    let all = position(whole, level: level, width: Double(columns))
    guard let (fit, width) = inWindow(sinogram, whole, noise: noise) else { return all }
    let windowed = position(fit, level: 0, width: width)
    return abs(windowed.axis - all.axis) <= deviationsMax * all.error ? windowed : all
  }

  /// The same with nothing but the columns that the sample may reach, as the noise of those far from it counts most,
  /// and how many these are. The window goes with the sample, so that a level of air moves no centre.
  private static func inWindow(_ sinogram: SortedSinogram, _ circle: Circle, noise: Double) -> (Circle, width: Double)?
  {
    let columns = sinogram.columns, count = sinogram.thetas.count
    let centres = sinogram.thetas.map { circle.axis + circle.cosine * cos($0) + circle.sine * sin($0) }
    // What lies so many columns beside the centre, in the mean of all projections.
    var sums = [Double](repeating: 0, count: columns), counts = sums
    for (angle, centre) in centres.enumerated() {
      for (column, value) in sinogram.projection(angle).enumerated() {
        let beside = Int(abs(Double(column) + 0.5 - centre))
        guard beside < columns else { continue }
        sums[beside] += Double(value)
        counts[beside] += 1
      }
    }
    let means = zip(sums, counts).map { $1 > 0 ? $0 / $1 : 0 }, most = means.max() ?? 0
    let last = means.indices.last { beside in
      let chance = deviationsMax * noise / max(1, counts[beside]).squareRoot()
      return means[beside] > min(max(chance, tailMax.lowerBound * most), tailMax.upperBound * most)
    }
    let reach = Double((last ?? columns) + windowMargin)
    var masses: [Double] = [], moments: [Double] = []
    for angle in 0..<count {
      let line = sinogram.projection(angle)
      let first = max(0, Int((centres[angle] - reach).rounded(.down)))
      let end = min(columns, Int((centres[angle] + reach).rounded(.up)))
      guard first < end else { return nil }
      let part = line.dropFirst(first).prefix(end - first)
      masses.append(part.reduce(0) { $0 + Double($1) })
      moments.append(zip(first..., part).reduce(0) { $0 + (Double($1.0) + 0.5) * Double($1.1) })
    }
    return Self.circle(sinogram.thetas, masses: masses, moments: moments).map { ($0, min(2 * reach, Double(columns))) }
  }

  /// Where the centres of mass go round, and the standard error of its middle.
  private struct Circle {
    let axis, cosine, sine, error: Double
  }

  private static func rootOfSquares(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// moment = mass · (axis + a cos θ + b sin θ), by least squares.
  private static func circle(_ thetas: [Double], masses: [Double], moments: [Double]) -> Circle? {
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
    return error.isFinite && axis.isFinite ? Circle(axis: axis, cosine: a, sine: b, error: error) : nil
  }
}
