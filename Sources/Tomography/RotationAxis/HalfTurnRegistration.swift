import Glibc

/// Finds the axis from projections half a turn apart.
///
/// The projection at θ + π is the one at θ, mirrored: p(θ + π, s) = p(θ, 2·axis − 1 − s), that is the projection
/// mirrored in the detector's middle and shifted by d = 2·axis − N bins. Where a scan measures both, all such pairs
/// count. Half a turn has none: there the projections beside the seam predict across it (`HalfTurnPair`).
///
/// Differences are weighted by the inverse of their variance, which for counts grows as exp(p): so noise adds the same
/// to all shifts, whatever part of the sample lies in the overlap. Shifts are whole bins, as interpolated noise would
/// be weaker between them; a parabola gives the part of a bin. The error is that of a jackknife over groups of pairs,
/// or of bins where pairs are few, and needs no model of the noise.
struct HalfTurnRegistration {
  private static let (groupsMin, groups) = (8, 16)
  /// Both neighbours of θ + π lie nearer to each other than so many usual steps.
  private static let gapMax = 1.6
  /// Differences that the first search takes.
  private static let workMax = 3e7
  /// Bins around the place found first, and how often that may move.
  private static let (reach, moves) = (3, 4)
  /// Line integrals beyond which the weight stays as it is.
  private static let range: ClosedRange<Float> = -1...6
  /// What the jackknife does not see: interpolation in pixels, and in pixels a column and square radian what lies
  /// between two projections, or beyond the last.
  private static let (interpolationError, betweenError, beyondError) = (0.03, 0.03, 0.06)

  /// By so much the jackknife counts more where two predictions from the same projections are all pairs.
  private static let seamWeight = 1.5

  private let columns: Int
  private let pairs: [HalfTurnPair]
  private let systematicError: Double
  private let errorWeight: Double

  init(_ sinogram: SortedSinogram) {
    columns = sinogram.columns
    let thetas = sinogram.thetas, usual = sinogram.usualStep
    let variances = sinogram.values.map { exp(min(max($0, Self.range.lowerBound), Self.range.upperBound)) }
    var pairs: [HalfTurnPair] = [], next = 0, betweenMax = 0.0
    for first in thetas.indices {
      let theta = thetas[first] + .pi
      while next < thetas.count, thetas[next] < theta - 1e-6 { next += 1 }
      guard next < thetas.count else { break }
      let gap = thetas[next] - thetas[next - 1], part = min(max((theta - thetas[next - 1]) / gap, 0), 1)
      guard 1 - part < 1e-4 || gap <= Self.gapMax * usual else { continue }
      betweenMax = max(betweenMax, 4 * part * (1 - part) * gap * gap)
      pairs.append(HalfTurnPair(sinogram, variances, first: first, before: next - 1, part: Float(part)))
    }
    hasPairs = !pairs.isEmpty
    errorWeight = hasPairs ? 1 : Self.seamWeight
    if pairs.isEmpty {
      let beyond = max(usual, thetas[0] + .pi - thetas[thetas.count - 1])
      self.pairs = HalfTurnPair.acrossSeam(sinogram, variances)
      systematicError = hypot(Self.interpolationError, Self.beyondError * Double(columns) * beyond * beyond)
    } else {
      self.pairs = pairs
      systematicError = hypot(Self.interpolationError, Self.betweenError * Double(columns) * betweenMax)
    }
  }

  /// Whether the scan has projections half a turn apart.
  let hasPairs: Bool

  /// The axis in pixels from the detector's left edge, and its standard error; nil when no shift lays structure on
  /// structure. It is looked for everywhere, or near a place in pixels.
  func axis(near hint: Double? = nil) -> AxisPosition? {
    guard var place = hint.map({ Int((2 * $0).rounded()) - columns }) ?? coarse() else { return nil }
    for _ in 0..<Self.moves {
      let shifts = Array(place - Self.reach...place + Self.reach)
      let bins = max(0, shifts[shifts.count - 1])..<min(columns, columns + shifts[0])
      guard bins.count >= max(8, columns / 10) else { return nil }
      let curves = curves(shifts, bins)
      let sums = shifts.indices.map { index in curves.reduce(0) { $0 + $1[index] } }
      guard let lowest = sums.indices.min(by: { sums[$0] < sums[$1] }) else { return nil }
      if (1..<sums.count - 1).contains(lowest) { return position(curves, sums, lowest, place: shifts[lowest]) }
      place = shifts[lowest]
    }
    return nil
  }

  /// The weighted squares of each group at each shift.
  private func curves(_ shifts: [Int], _ bins: Range<Int>) -> [[Double]] {
    let count = Self.groups
    return (0..<count).map { group in
      func part(_ all: Range<Int>) -> Range<Int> {
        all.lowerBound + group * all.count / count..<all.lowerBound + (group + 1) * all.count / count
      }
      let some = pairs.count < Self.groupsMin ? pairs[...] : pairs[part(pairs.indices)]
      let near = pairs.count < Self.groupsMin ? part(bins) : bins
      return shifts.map { shift in some.reduce(0) { $0 + $1.difference(shift: shift, bins: near) } }
    }
  }

  private func position(_ curves: [[Double]], _ sums: [Double], _ lowest: Int, place: Int) -> AxisPosition? {
    guard let vertex = Self.vertex(sums, lowest) else { return nil }
    let used = curves.filter { $0.contains { $0 > 0 } }
    var others: [Double] = []
    for curve in used {
      guard let one = Self.vertex(zip(sums, curve).map { $0 - $1 }, lowest) else {
        return AxisPosition(axis: Double(columns + place) / 2, error: .infinity)
      }
      others.append(one)
    }
    let count = Double(max(others.count, 1)), mean = others.reduce(0, +) / count
    let variance = others.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } * (count - 1) / count
    return AxisPosition(
      axis: (Double(columns + place) + vertex) / 2,
      error: hypot(errorWeight * variance.squareRoot() / 2, systematicError))
  }

  /// Of the parabola through three sums, beside the middle one and near it; nil where they have no minimum.
  private static func vertex(_ sums: [Double], _ middle: Int) -> Double? {
    let (before, after) = (sums[middle - 1], sums[middle + 1])
    let curvature = before - 2 * sums[middle] + after, vertex = (before - after) / 2 / curvature
    return curvature > 0 ? min(max(vertex, -2), 2) : nil
  }

  /// The shift of whole bins with the smallest mean squared difference divided by the variance of what overlaps: else
  /// one that lays nothing but air on air would win.
  private func coarse() -> Int? {
    let limit = columns * 4 / 5, work = 1.2 * Double(columns * columns) * Double(pairs.count)
    let step = max(1, Int((work / Self.workMax).rounded(.up)))
    let some = stride(from: 0, to: pairs.count, by: step).map { pairs[$0] }
    let all = some.reduce(0) { $0 + $1.overlap(shift: 0).variance }
    let found = (-limit...limit).map { shift in
      let sums = some.reduce((difference: 0.0, variance: 0.0)) { sums, pair in
        let overlap = pair.overlap(shift: shift)
        return (sums.difference + overlap.difference, sums.variance + overlap.variance)
      }
      return (shift: shift, mismatch: sums.variance > 0.02 * all ? sums.difference / sums.variance : .infinity)
    }
    return found.min { $0.mismatch < $1.mismatch }.flatMap { $0.mismatch < .infinity ? $0.shift : nil }
  }
}
