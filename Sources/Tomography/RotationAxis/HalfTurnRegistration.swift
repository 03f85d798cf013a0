import Glibc

/// Finds the axis from projections half a turn apart.
///
/// The projection at θ + π is the one at θ, mirrored: p(θ + π, s) = p(θ, 2·axis − 1 − s), that is the projection
/// mirrored in the detector's middle and shifted by d = 2·axis − N bins. A scan seldom measures both, so neighbours
/// predict across the seam, by a straight line in theta: the last projections before θ + π predict the mirrored first
/// one, and the mirrored first ones predict the last. That removes most of the motion between the two, which otherwise
/// biases the axis by a pixel where a scan ends a degree or two short of half a turn.
///
/// The shift is the one with the smallest mean squared difference over the bins where both projections exist, divided
/// by their variance there: else a shift that lays nothing but air on air would win. So a sample that leaves the
/// detector on one side does no harm.
struct HalfTurnRegistration {
  private let columns: Int
  private let seams: [Seam]
  private let varianceMin: Double
  private static let seamsMax = 8
  /// What the standard error cannot know, in pixels: interpolation, and a prediction over so many degrees.
  private let systematicError: Double
  private static let (interpolationError, predictionError) = (0.05, 0.06)

  init(_ sinogram: SortedSinogram) {
    columns = sinogram.columns
    let thetas = sinogram.thetas
    let gap = (thetas[thetas.count - 1] - thetas[0]) / Double(thetas.count - 1)
    let beyond = max(gap, thetas[0] + .pi - thetas[thetas.count - 1])
    systematicError = Self.interpolationError + Self.predictionError * Double(columns) * beyond * beyond
    // The first projection may find its partner beyond the end of the scan; the others, in longer scans, must find it
    // inside.
    let inside = thetas.indices.filter { thetas[$0] + .pi <= thetas[thetas.count - 1] }
    let starts = inside.isEmpty ? [0] : inside
    let step = (starts.count + Self.seamsMax - 1) / Self.seamsMax
    let seams = stride(from: 0, to: starts.count, by: step).map { Seam(sinogram, first: starts[$0]) }
    self.seams = seams
    varianceMin = 0.02 * seams.reduce(0) { $0 + $1.variance }
  }

  /// The axis in pixels from the detector's left edge, and its standard error; nil when no shift lays structure on
  /// structure.
  func axis() -> AxisPosition? {
    let limit = columns * 4 / 5
    guard let coarse = best((-limit...limit).map { Double($0) }), coarse.mismatch < .infinity else { return nil }
    let step = 0.25
    guard let fine = best((-6...6).map { coarse.shift + step * Double($0) }) else { return nil }
    let (before, after) = (mismatch(fine.shift - step), mismatch(fine.shift + step))
    let curvature = before - 2 * fine.mismatch + after
    guard curvature > 0, curvature < .infinity else {
      return AxisPosition(axis: (Double(columns) + fine.shift) / 2, error: .infinity)
    }
    let shift = fine.shift + step * (before - after) / 2 / curvature
    // A sum of n squares with the minimum m · n and the second derivative c · n has the standard error √(2m / cn). The
    // smoothing leaves one independent value in about four bins.
    let independentCount = Double(columns * seams.count) / 4
    let error = step * (2 * fine.mismatch / curvature / independentCount).squareRoot()
    return AxisPosition(axis: (Double(columns) + shift) / 2, error: hypot(error / 2, systematicError))
  }

  private func best(_ shifts: [Double]) -> (shift: Double, mismatch: Double)? {
    shifts.map { ($0, mismatch($0)) }.min { $0.1 < $1.1 }
  }

  private func mismatch(_ shift: Double) -> Double {
    var total = Overlap()
    for seam in seams { total += seam.overlap(shift) }
    return total.variance > varianceMin ? total.squaredDifference / total.variance : .infinity
  }
}

/// Means over the bins that two projections share.
private struct Overlap {
  var squaredDifference = 0.0
  var variance = 0.0

  static func += (total: inout Overlap, overlap: Overlap) {
    total.squaredDifference += overlap.squaredDifference
    total.variance += overlap.variance
  }
}

/// Two curves on each side of θ + π: a measured projection and the prediction of the one across the seam.
private struct Seam {
  private var last: [Float]  // the last projection before θ + π
  private var prediction: [Float]  // of the projection at θ + π, from the last ones
  private var mirrored: [Float]  // the projection at θ, mirrored
  private var mirroredPrediction: [Float]  // of the last projection, from the mirrored ones

  /// - Parameter first: index of the projection at θ.
  init(_ sinogram: SortedSinogram, first: Int) {
    let thetas = sinogram.thetas
    let seam = thetas[first] + .pi
    let lastIndex = thetas.lastIndex { $0 <= seam } ?? thetas.count - 1
    let gap = seam - thetas[lastIndex]
    // Partners at least a gap away, so that a prediction never magnifies the noise; the scan is far longer than the
    // gap.
    let before = thetas[..<lastIndex].lastIndex { thetas[lastIndex] - $0 >= 0.999 * gap } ?? 0
    let next = thetas[(first + 1)...].firstIndex { $0 - thetas[first] >= 0.999 * gap } ?? thetas.count - 1
    last = Array(sinogram.projection(lastIndex))
    mirrored = sinogram.projection(first).reversed()
    let slopeBefore = Float(gap / (thetas[lastIndex] - thetas[before]))
    let slopeAfter = Float(gap / (thetas[next] - thetas[first]))
    prediction = zip(last, sinogram.projection(before)).map { $0 + ($0 - $1) * slopeBefore }
    mirroredPrediction = zip(mirrored, sinogram.projection(next).reversed()).map { $0 + ($0 - $1) * slopeAfter }
  }

  var variance: Double { overlap(0).variance }

  /// Compares bin s of one side with bin s − shift of the mirrored side, linearly interpolated.
  func overlap(_ shift: Double) -> Overlap {
    let whole = Int(shift.rounded(.down))
    let fraction = Float(shift - Double(whole))
    let bins = max(0, whole + 1)..<max(max(0, whole + 1), min(last.count, last.count + whole))
    guard bins.count > last.count / 8 else { return Overlap() }
    var squares = 0.0
    var (sum, squaredSum, mirroredSum, mirroredSquaredSum) = (0.0, 0.0, 0.0, 0.0)
    for bin in bins {
      let other = bin - whole
      let value = mirrored[other] + fraction * (mirrored[other - 1] - mirrored[other])
      let predicted = mirroredPrediction[other] + fraction * (mirroredPrediction[other - 1] - mirroredPrediction[other])
      let (first, second) = (value - prediction[bin], predicted - last[bin])
      squares += Double(first * first + second * second)
      sum += Double(last[bin])
      squaredSum += Double(last[bin]) * Double(last[bin])
      mirroredSum += Double(value)
      mirroredSquaredSum += Double(value) * Double(value)
    }
    let count = Double(bins.count)
    let variance = squaredSum + mirroredSquaredSum - (sum * sum + mirroredSum * mirroredSum) / count
    return Overlap(squaredDifference: squares / count, variance: max(0, variance) / count)
  }
}
