import Host

/// What a virtual detector does wrong, the same for equal seeds. Flats and darks are left alone.
package struct StreamFaults: Equatable, Sendable {
  /// The share of projections that are never sent.
  package var dropFraction = 0.0
  /// The share of projections that are sent twice.
  package var duplicateFraction = 0.0
  /// Projections that are sent in any order among each other; 0 and 1 for none.
  package var reorder = 0
  /// Seconds in which nothing is sent, in the middle of the scan.
  package var stall = 0.0
  /// Seed of the choice.
  package var seed: UInt64 = 1

  /// A detector that does nothing wrong.
  package init() {}

  /// The projections of a scan of `count` in the order in which they are sent, and those that are not.
  func schedule(count: Int) -> (sent: [Int], dropped: [Int]) {
    var random = SplitMix64(seed: seed)
    var (sent, dropped): ([Int], [Int]) = ([], [])
    for projection in 0..<count {
      guard random.unit() >= dropFraction else {
        dropped.append(projection)
        continue
      }
      sent.append(projection)
      if random.unit() < duplicateFraction { sent.append(projection) }
    }
    guard reorder > 1 else { return (sent, dropped) }
    for start in stride(from: 0, to: sent.count, by: reorder) {
      let block = start..<min(start + reorder, sent.count)
      for index in block.dropLast() {
        sent.swapAt(index, index + Int(random.unit() * Double(block.upperBound - index)))
      }
    }
    return (sent, dropped)
  }
}
