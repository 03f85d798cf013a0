import Glibc

/// Entropy of grey values in nats: small where a slice has few materials and sharp edges (T. Donath, F. Beckmann and A.
/// Schreyer, J. Opt. Soc. Am. A 23, 2006, 1048–1057).
///
/// The histogram over `range` counts each value in two of its 64 bins by linear weights, so that the entropy varies
/// smoothly with the values; those outside do not count. 0 where none is inside.
package func greyEntropy(_ values: some Sequence<Float>, range: ClosedRange<Float>) -> Double {
  let binCount = 64
  var histogram = [Double](repeating: 0, count: binCount)
  let scale = Float(binCount - 1) / (range.upperBound - range.lowerBound)
  for value in values where range.contains(value) {
    let position = (value - range.lowerBound) * scale
    let bin = min(Int(position), binCount - 2)
    let weight = Double(position - Float(bin))
    histogram[bin] += 1 - weight
    histogram[bin + 1] += weight
  }
  let total = histogram.reduce(0, +)
  return histogram.reduce(0) { $1 > 0 ? $0 - $1 / total * log($1 / total) : $0 }
}
