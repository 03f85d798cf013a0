/// The part of half a turn that each projection stands for, in radians.
///
/// Parallel projections at θ and θ + π are the same, so thetas are taken modulo π; a projection stands for half the
/// distance to each of its two neighbours, across the ends too. Equal thetas share. A gap of more than three times the
/// median distance was not measured, so it counts as three distances only; the golden ratio's distances differ by 2.6
/// at most.
func angularWeights(_ thetas: [Double]) -> [Double] {
  guard thetas.count > 1 else { return thetas.map { _ in .pi } }
  let folded = thetas.map { theta in
    let rest = theta.truncatingRemainder(dividingBy: .pi)
    return rest < 0 ? rest + .pi : rest
  }
  let order = folded.indices.sorted { folded[$0] < folded[$1] }
  // Behind projection order[i]: to the next one, from the last to the first across π.
  let gaps = order.indices.map { index in
    index + 1 < order.count
      ? folded[order[index + 1]] - folded[order[index]] : folded[order[0]] + .pi - folded[order[index]]
  }
  // Rounding makes equal thetas differ a little.
  let distances = gaps.filter { $0 > 1e-6 }.sorted()
  let limit = distances.isEmpty ? .pi : 3 * distances[distances.count / 2]
  var weights = [Double](repeating: 0, count: thetas.count)
  for (index, projection) in order.enumerated() {
    let before = gaps[index > 0 ? index - 1 : gaps.count - 1]
    weights[projection] = 0.5 * (min(before, limit) + min(gaps[index], limit))
  }
  return weights
}
