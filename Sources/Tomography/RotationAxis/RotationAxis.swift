package import Host

/// Where the rotation axis is, in pixels from the detector's left edge: N/2 is the middle of N columns.
package struct RotationAxisEstimate: Sendable, Equatable {
  /// The best position, sub-pixel: the mean of what agrees, weighted by its errors.
  package let axis: Double
  /// Standard error of `axis` in pixels. It counts what the methods disagree by, and not noise alone.
  package let error: Double

  /// A larger error is worth a look at the slices: half a pixel of the axis costs more than all methods differ.
  package static let errorMax = 0.25
  /// Whether the axis is known well enough to reconstruct without a look.
  package var isSure: Bool { error <= Self.errorMax }
}

/// Why no rotation axis could be found.
package enum RotationAxisError: SysExitError, Equatable {
  /// The projections span less than 120°, their last step with them.
  case spanTooSmall(degrees: Double)
  /// The sinogram says nothing about the axis: it is too small, constant, or not finite.
  case unusable(reason: String)

  /// The scan's content is what is wrong.
  package var sysExit: SysExit { .data }

  /// One line for the person at the terminal.
  package var description: String {
    switch self {
    case .spanTooSmall(let degrees):
      "the projections span \((degrees * 100).rounded() / 100) degrees and the rotation axis can be found from "
        + "\(Int(SortedSinogram.degreesMin)) only; give --rotation-axis"
    case .unusable(let reason):
      "the rotation axis cannot be found, \(reason); give --rotation-axis"
    }
  }
}

/// Finds the rotation axis from one detector row.
///
/// Three methods look for it: the axis about which some slice explains the sinogram (`AxisSearch`), where the centres
/// of mass of the projections go round (`CentreOfMass`), and projections half a turn apart as mirror images of each
/// other (`HalfTurnRegistration`). The second needs a sample that stays on the detector, the third a half turn. It is
/// looked for from 0.06 to 0.94 of the detector's width.
///
/// - Parameters:
///   - sinogram: angles × columns line integrals.
///   - thetas: radians, one an angle, in any order.
///   - columns: bins of the detector.
/// - Throws: `spanTooSmall` for a scan of less than 120°; `unusable` for a sinogram that is constant, has NaN or
///   infinite values, fewer than 8 columns or fewer than 4 different angles.
package func estimateRotationAxis(
  sinogram: UnsafeBufferPointer<Float>, angles thetas: [Double], columns: Int
) throws(RotationAxisError) -> RotationAxisEstimate {
  precondition(
    sinogram.count == thetas.count * columns, "\(sinogram.count) values for \(thetas.count) angles × \(columns) columns"
  )
  let sorted = try SortedSinogram(sinogram, thetas: thetas, columns: columns)
  let least = sorted.values.min() ?? 0, most = sorted.values.max() ?? 0
  guard most - least > 1e-5 * max(abs(least), abs(most)) else {
    throw .unusable(reason: "all line integrals are the same")
  }
  let mass = CentreOfMass.axis(sorted), registration = HalfTurnRegistration(sorted)
  var mirrored = registration.axis()
  let hint = mass ?? mirrored.flatMap { $0.error <= AxisPosition.hintMax ? $0 : nil }
  guard var best = AxisSearch(sorted).axis(hint: hint?.axis) else {
    throw .unusable(reason: "the projections fit together about one axis as well as about another")
  }
  // Little that is seen twice is easily missed among all shifts.
  if mirrored == nil, registration.hasPairs { mirrored = registration.axis(near: best.axis) }
  if let mass { best = best.joined(with: mass) }
  if let mirrored { best = best.joined(with: mirrored) }
  // No ray was measured twice, and none is known to be whole: the methods err together.
  let weight = mass == nil && !registration.hasPairs ? AxisPosition.interiorWeight : 1
  return RotationAxisEstimate(axis: best.axis, error: weight * best.error)
}

/// A position of the axis with its standard error, in pixels.
struct AxisPosition {
  let axis: Double
  let error: Double

  private static let (doubtMax, certain, uncertain) = (0.5, 0.05, 0.2)
  /// What the error of an axis counts that both methods have from the same rays.
  static let interiorWeight = 1.6
  /// Pixels: a less certain one is no place to look at first.
  static let hintMax = 1.0

  /// The mean of two positions that agree; of others the one with the smaller error, which then counts a third of what
  /// lies between them, unless it is far more certain than the other, which is not.
  func joined(with other: AxisPosition) -> AxisPosition {
    guard error < .infinity, other.error < .infinity else { return error <= other.error ? self : other }
    if agrees(with: other) { return combined(with: other) }
    let apart = abs(axis - other.axis)
    let better = error <= other.error ? self : other, worse = max(error, other.error)
    if better.error < Self.certain, worse > Self.uncertain { return better }
    return AxisPosition(axis: better.axis, error: max(better.error, min(apart / 3, Self.doubtMax)))
  }

  private func agrees(with other: AxisPosition) -> Bool {
    abs(axis - other.axis) <= 3 * (error * error + other.error * other.error).squareRoot()
  }

  /// The mean of both, weighted by the inverse squares of their errors.
  private func combined(with other: AxisPosition) -> AxisPosition {
    let (weight, otherWeight) = (1 / (error * error), 1 / (other.error * other.error))
    return AxisPosition(
      axis: (weight * axis + otherWeight * other.axis) / (weight + otherWeight),
      error: (1 / (weight + otherWeight)).squareRoot())
  }
}

/// A sinogram in the order of theta, one smoothed projection a theta.
struct SortedSinogram {
  let thetas: [Double]
  let columns: Int
  let values: [Float]
  /// Radians, the step behind the last with them.
  let span: Double
  /// Less of a turn leaves it open.
  static let degreesMin = 120.0

  /// Sorts, keeping the first of projections at the same theta, and checks what was given.
  init(_ sinogram: UnsafeBufferPointer<Float>, thetas: [Double], columns: Int) throws(RotationAxisError) {
    guard sinogram.allSatisfy(\.isFinite), thetas.allSatisfy(\.isFinite) else {
      throw .unusable(reason: "the sinogram is not finite")
    }
    var order: [Int] = []
    for index in thetas.indices.sorted(by: { (thetas[$0], $0) < (thetas[$1], $1) }) {
      if let last = order.last, thetas[index] - thetas[last] < 1e-6 { continue }
      order.append(index)
    }
    guard columns >= 8, order.count >= 4, let first = order.first, let last = order.last else {
      throw .unusable(reason: "\(order.count) different angles of \(columns) columns are too few")
    }
    self.thetas = order.map { thetas[$0] }
    self.columns = columns
    // 30 projections 6° apart span 180°, the last one's step with them.
    span = thetas[last] - thetas[first] + Self.usualStep(self.thetas)
    let degrees = span * 180 / .pi
    // Whatever the rounding of radians says.
    guard degrees >= Self.degreesMin - 1e-3 else { throw .spanTooSmall(degrees: degrees) }
    values = order.flatMap { Self.smoothed(sinogram[$0 * columns..<($0 + 1) * columns]) }
  }

  /// The median of the steps between neighbours, in radians.
  var usualStep: Double { Self.usualStep(thetas) }

  private static func usualStep(_ thetas: [Double]) -> Double {
    zip(thetas, thetas.dropFirst()).map { $1 - $0 }.sorted()[(thetas.count - 1) / 2]
  }

  /// One projection smoothed by the binomial weights 1, 4, 6, 4, 1, its edge values going on outside.
  ///
  /// Noise is what makes the search fail, and interpolated noise is weaker between bins than at them, which would draw
  /// the axis there.
  private static func smoothed(_ projection: Slice<UnsafeBufferPointer<Float>>) -> [Float] {
    let (first, last) = (projection.startIndex, projection.endIndex - 1)
    return projection.indices.map { bin in
      let near = projection[max(first, bin - 1)] + projection[min(last, bin + 1)]
      let far = projection[max(first, bin - 2)] + projection[min(last, bin + 2)]
      return (6 * projection[bin] + 4 * near + far) / 16
    }
  }

  init(thetas: [Double], columns: Int, values: [Float], span: Double) {
    self.thetas = thetas
    self.span = span
    self.columns = columns
    self.values = values
  }

  /// One projection.
  func projection(_ angle: Int) -> ArraySlice<Float> { values[angle * columns..<(angle + 1) * columns] }

  /// The sinogram with the mean of `factor` neighbouring bins in one; a remainder is dropped.
  func binned(by factor: Int) -> SortedSinogram {
    guard factor > 1 else { return self }
    let binnedColumns = columns / factor
    var means = [Float](repeating: 0, count: thetas.count * binnedColumns)
    for angle in thetas.indices {
      for bin in 0..<binnedColumns * factor {
        means[angle * binnedColumns + bin / factor] += values[angle * columns + bin] / Float(factor)
      }
    }
    return SortedSinogram(thetas: thetas, columns: binnedColumns, values: means, span: span)
  }
}
