/// A projection mirrored in the detector's middle, one half a turn on, and the variances of both in relative units.
struct HalfTurnPair {
  private let mirrored: [Float], mirroredVariance: [Float]
  private let other: [Float], otherVariance: [Float]

  /// The projection `first`, and what lies half a turn on, by so large a part on the way from projection `before` to
  /// the next.
  init(_ sinogram: SortedSinogram, _ variances: [Float], first: Int, before: Int, part: Float) {
    mirrored = sinogram.projection(first).reversed()
    mirroredVariance = Self.row(first, variances, sinogram.columns).reversed()
    (other, otherVariance) = Self.line(sinogram, variances, from: before, to: before + 1, part)
  }

  private init(mirrored: (values: [Float], variances: [Float]), other: (values: [Float], variances: [Float])) {
    self.mirrored = mirrored.values.reversed()
    mirroredVariance = mirrored.variances.reversed()
    (self.other, otherVariance) = other
  }

  /// Two pairs for a scan that ends before half a turn: the last projections predict the first one, mirrored, and the
  /// first ones, mirrored, predict the last, by straight lines in theta. That removes most of the motion between the
  /// two, which otherwise biases the axis by a pixel where a scan ends a degree or two short of half a turn.
  static func acrossSeam(_ sinogram: SortedSinogram, _ variances: [Float]) -> [HalfTurnPair] {
    let thetas = sinogram.thetas, last = thetas.count - 1, gap = thetas[0] + .pi - thetas[last]
    // Partners at least a gap away, so that a prediction never magnifies the noise; the scan is far longer than the
    // gap.
    let before = thetas[..<last].lastIndex { thetas[last] - $0 >= 0.999 * gap } ?? 0
    let next = thetas[1...].firstIndex { $0 - thetas[0] >= 0.999 * gap } ?? last
    let forward = Float((thetas[last] - thetas[before] + gap) / (thetas[last] - thetas[before]))
    let backward = Float((thetas[next] - thetas[0] + gap) / (thetas[next] - thetas[0]))
    func line(_ from: Int, _ to: Int, _ part: Float) -> (values: [Float], variances: [Float]) {
      Self.line(sinogram, variances, from: from, to: to, part)
    }
    return [
      HalfTurnPair(mirrored: line(0, 0, 0), other: line(before, last, forward)),
      HalfTurnPair(mirrored: line(next, 0, backward), other: line(last, last, 0)),
    ]
  }

  /// A straight line in theta through two projections, so many of their distances behind the first.
  private static func line(_ sinogram: SortedSinogram, _ variances: [Float], from: Int, to: Int, _ part: Float)
    -> (values: [Float], variances: [Float])
  {
    let (first, second) = (row(from, variances, sinogram.columns), row(to, variances, sinogram.columns))
    return (
      zip(sinogram.projection(from), sinogram.projection(to)).map { $0 + part * ($1 - $0) },
      zip(first, second).map { (1 - part) * (1 - part) * $0 + part * part * $1 }
    )
  }

  private static func row(_ angle: Int, _ values: [Float], _ columns: Int) -> ArraySlice<Float> {
    values[angle * columns..<(angle + 1) * columns]
  }

  /// The sum over these bins of squared differences over their variances, the mirrored one shifted to the right.
  func difference(shift: Int, bins: Range<Int>) -> Double {
    var sum: Float = 0
    for bin in bins {
      let difference = other[bin] - mirrored[bin - shift]
      sum += difference * difference / (otherVariance[bin] + mirroredVariance[bin - shift])
    }
    return Double(sum)
  }

  /// The mean squared difference over all bins that both have, and the variance there.
  func overlap(shift: Int) -> (difference: Double, variance: Double) {
    let bins = max(0, shift)..<max(max(0, shift), min(other.count, other.count + shift))
    guard bins.count > other.count / 8 else { return (0, 0) }
    var (squares, sum, sumOfSquares, mirroredSum, mirroredSquares): (Float, Float, Float, Float, Float)
    (squares, sum, sumOfSquares, mirroredSum, mirroredSquares) = (0, 0, 0, 0, 0)
    for bin in bins {
      let (one, two) = (other[bin], mirrored[bin - shift])
      squares += (one - two) * (one - two)
      sum += one
      sumOfSquares += one * one
      mirroredSum += two
      mirroredSquares += two * two
    }
    let count = Float(bins.count)
    let variance = sumOfSquares + mirroredSquares - (sum * sum + mirroredSum * mirroredSum) / count
    return (Double(squares / count), Double(max(0, variance) / count))
  }
}
