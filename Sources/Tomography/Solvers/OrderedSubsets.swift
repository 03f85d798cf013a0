/// Splits angles 0..<angleCount into interleaved subsets: angle i goes to subset i mod `subsets`, in rising order.
///
/// `subsets` is 1…angleCount.
package func orderedSubsets(angleCount: Int, subsets: Int) -> [[Int]] {
  precondition((1...max(1, angleCount)).contains(subsets), "\(subsets) subsets of \(angleCount) angles")
  return (0..<subsets).map { Array(stride(from: $0, to: angleCount, by: subsets)) }
}
