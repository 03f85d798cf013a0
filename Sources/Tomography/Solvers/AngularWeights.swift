/// The part of half a turn that each projection stands for, in radians; with half acquisition of a whole one.
///
/// Parallel projections at θ and θ + π are the same, so thetas are taken modulo the `period`: π, or 2π where the
/// detector sees one side of the axis only. A projection stands for half the distance to each of its two neighbours,
/// across the ends too. Equal thetas share. A gap of more than three times the typical distance was not measured, so it
/// counts as three distances only; the golden ratio's distances differ by 2.6 at most.
func angularWeights(_ thetas: [Double], period: Double = .pi) -> [Double] {
  guard thetas.count > 1 else { return thetas.map { _ in period } }
  let folded = thetas.map { theta in
    let rest = theta.truncatingRemainder(dividingBy: period)
    return rest < 0 ? rest + period : rest
  }
  let order = folded.indices.sorted { folded[$0] < folded[$1] }
  // Behind projection order[i]: to the next one, from the last to the first across the period.
  let gaps = order.indices.map { index in
    index + 1 < order.count
      ? folded[order[index + 1]] - folded[order[index]] : folded[order[0]] + period - folded[order[index]]
  }
  let limit = 3 * (typicalDistance(gaps) ?? period)
  var weights = [Double](repeating: 0, count: thetas.count)
  for (index, projection) in order.enumerated() {
    let before = gaps[index > 0 ? index - 1 : gaps.count - 1]
    weights[projection] = 0.5 * (min(before, limit) + min(gaps[index], limit))
  }
  return weights
}

/// What each projection counts for SIRT, 1 on average, where projections are missing between others: its
/// `angularWeights`. Nil where none is missing in the steps that the typical distance makes, or the angles are no such
/// steps, as those of the golden ratio: SIRT proper, whatever part of a turn the scan spans.
package func angularShares(_ thetas: [Double], period: Double) -> [Float]? {
  let sorted = thetas.sorted()
  let distances = zip(sorted.dropFirst(), sorted).map { $0 - $1 }.filter { $0 > equalMax }
  guard let typical = typicalDistance(distances) else { return nil }
  let steps = distances.map { $0 / typical }
  guard steps.contains(where: { $0 > 1.5 }), steps.allSatisfy({ $0 > 0.5 && abs($0 - $0.rounded()) < stepErrorMax })
  else { return nil }
  let weights = angularWeights(thetas, period: period), mean = weights.reduce(0, +) / Double(weights.count)
  return weights.map { Float($0 / mean) }
}

/// The distance up to which half of the measured angle lies, without the widest one, which may be what was not
/// measured. Unlike the median it does not look at how many projections are nearly at the same angle, as those of a
/// second turn are. Nil where there is no other distance.
private func typicalDistance(_ distances: [Double]) -> Double? {
  let rising = distances.filter { $0 > equalMax }.sorted().dropLast(), half = 0.5 * rising.reduce(0, +)
  var sum = 0.0
  return rising.first {
    sum += $0
    return sum >= half
  }
}

/// Rounding makes equal thetas differ a little.
private let equalMax = 1e-6
/// Encoders are no better than so much of a step; the golden ratio's distances are 0.38 of one off.
private let stepErrorMax = 0.25
