/// The threshold that parts a histogram into the two classes whose means differ most for their sizes (N. Otsu, IEEE
/// Trans. Syst. Man Cybern. 9, 1979, 62–66): half way between the last value of the lower class and the first one of
/// the upper. Counts and values alone decide it, in their order.
///
/// - Parameter bins: values in ascending order, and how often each is there.
/// - Returns: nil where there are not two different values.
package func otsuThreshold(_ bins: [(value: Double, count: UInt64)]) -> Double? {
  let bins = bins.filter { $0.count > 0 }
  let all = bins.reduce(0.0) { $0 + Double($1.count) }
  let sum = bins.reduce(0.0) { $0 + Double($1.count) * $1.value }
  var (below, sumBelow) = (0.0, 0.0)
  var best: (difference: Double, threshold: Double)?
  for (bin, next) in zip(bins, bins.dropFirst()) {
    precondition(bin.value < next.value, "\(bin.value) before \(next.value)")
    below += Double(bin.count)
    sumBelow += Double(bin.count) * bin.value
    let apart = sumBelow / below - (sum - sumBelow) / (all - below)
    let difference = below * (all - below) * apart * apart
    if best.map({ difference > $0.difference }) ?? true { best = (difference, (bin.value + next.value) / 2) }
  }
  return best?.threshold
}
