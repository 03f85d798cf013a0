package import Host

/// Where the rotation axis is, in pixels from the detector's left edge: N/2 is the middle of N columns.
package struct RotationAxisEstimate: Sendable, Equatable {
  /// The best position, sub-pixel: the mean of registration and image metric, weighted by their errors.
  package let axis: Double
  /// What the registration of the projections half a turn apart gave on its own.
  let registration: Double
  /// Standard error of `axis` in pixels, as far as noise goes.
  let error: Double
}

/// Why no rotation axis could be found.
package enum RotationAxisError: SysExitError, Equatable {
  /// The projections span less than 175°, so that no two of them are about half a turn apart.
  case spanTooSmall(degrees: Double)
  /// The sinogram says nothing about the axis: it is too small, constant, or not finite.
  case unusable(reason: String)

  /// The scan's content is what is wrong.
  package var sysExit: SysExit { .data }

  /// One line for the person at the terminal.
  package var description: String {
    switch self {
    case .spanTooSmall(let degrees):
      "the projections span \((degrees * 100).rounded() / 100) degrees and the rotation axis can be found from 175 "
        + "only; give --rotation-axis"
    case .unusable(let reason):
      "the rotation axis cannot be found, \(reason); give --rotation-axis"
    }
  }
}

/// Finds the rotation axis from one detector row.
///
/// Projections half a turn apart are mirror images of each other about the axis (`HalfTurnRegistration`). Noise, and
/// scans that end a step short of half a turn, leave that uncertain by up to a pixel, so the position is then refined
/// by the entropy of a reconstructed slice (`SliceEntropy`), unless that has no clear minimum nearby. The axis is
/// looked for between a tenth and nine tenths of the detector's width.
///
/// - Parameters:
///   - sinogram: angles × columns line integrals.
///   - thetas: radians, one an angle, in any order.
///   - columns: bins of the detector.
/// - Throws: `spanTooSmall` for a scan of less than 175°; `unusable` for a sinogram that is constant, has NaN or
///   infinite values, fewer than 8 columns or fewer than 4 different angles.
package func estimateRotationAxis(
  sinogram: UnsafeBufferPointer<Float>, angles thetas: [Double], columns: Int
) throws(RotationAxisError) -> RotationAxisEstimate {
  precondition(
    sinogram.count == thetas.count * columns, "\(sinogram.count) values for \(thetas.count) angles × \(columns) columns"
  )
  let sorted = try SortedSinogram(sinogram, thetas: thetas, columns: columns)
  guard let registration = HalfTurnRegistration(sorted).axis() else {
    throw .unusable(reason: "projections half a turn apart have nothing in common")
  }
  let refined = SliceEntropy(sorted).refine(registration.axis)
  let best = refined.map { registration.combined(with: $0) } ?? registration
  return RotationAxisEstimate(axis: best.axis, registration: registration.axis, error: best.error)
}

/// A position of the axis with its standard error, in pixels.
struct AxisPosition {
  let axis: Double
  let error: Double

  /// The mean of two positions, weighted by the inverse squares of their errors.
  func combined(with other: AxisPosition) -> AxisPosition {
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
    let degrees = (thetas[last] - thetas[first]) * 180 / .pi
    // 36 projections 5° apart span 175°, whatever the rounding of their radians says.
    guard degrees >= 175 - 1e-3 else { throw .spanTooSmall(degrees: degrees) }
    self.thetas = order.map { thetas[$0] }
    self.columns = columns
    values = order.flatMap { Self.smoothed(sinogram[$0 * columns..<($0 + 1) * columns]) }
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

  private init(thetas: [Double], columns: Int, values: [Float]) {
    self.thetas = thetas
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
    return SortedSinogram(thetas: thetas, columns: binnedColumns, values: means)
  }
}
