import Glibc

/// In which order the angles of a scan are visited. An order that spreads early angles over the half turn lets every
/// window see all directions, so that a volume is whole long before the scan is.
package enum AngleOrder: Equatable, Sendable {
  /// As they come.
  case sequential
  /// In K passes, each of which takes every K-th angle.
  case interleaved(Int)
  /// Each next one halves a gap: of a half turn 0, 90, 45, 135, 22.5 … degrees. The binary digits of the angle's number
  /// are read backwards (J. G. van der Corput, Proc. Akad. Wet. Amsterdam 38, 1935), as fractions of the half turn and
  /// not in whole degrees.
  case bitReversal
  /// In passes through the half turn whose steps are no smaller than so many degrees, each through the middles of what
  /// the ones before left: 0, 90, then 45, 135 … As bit reversal, but a stage turns one way within a pass, and never by
  /// less (the offset threshold of the optimised interleaving that T. Bicer et al. propose, IEEE e-Science 2017).
  case interleavedOptimised(Double)
  /// Multiples of the golden angle, 111.246° = 180° (√5 − 1) / 2 (S. Winkelmann et al., IEEE Trans. Med. Imaging 26,
  /// 2007), each moved to the nearest angle of the scan that was not yet visited.
  case golden

  /// The order as numbers of a scan's angles, each once.
  ///
  /// Bit reversal, optimised interleaving and golden take the scan's angles by their direction, that is modulo a half
  /// turn; they expect them to be evenly spaced there.
  /// - Parameter thetas: the angles in radians.
  package func visits(thetas: [Double]) -> [Int] {
    switch self {
    case .sequential: Array(thetas.indices)
    case .interleaved(let passes):
      (0..<max(1, passes)).flatMap { Array(stride(from: $0, to: thetas.count, by: max(1, passes))) }
    case .bitReversal: Self.bitReversal(count: thetas.count, byDirection(thetas))
    case .interleavedOptimised(let degreesMin): Self.passes(degreesMin, count: thetas.count, byDirection(thetas))
    case .golden: Self.golden(count: thetas.count, byDirection(thetas))
    }
  }

  /// Angles in the order of their directions.
  private func byDirection(_ thetas: [Double]) -> [Int] {
    let directions = thetas.map { direction($0) }
    return thetas.indices.sorted { (directions[$0], $0) < (directions[$1], $1) }
  }

  /// Positions j · count / 2^m with the digits of j backwards, to the nearest angle. They lie at most one angle apart,
  /// so each is met.
  private static func bitReversal(count: Int, _ directions: [Int]) -> [Int] {
    let bits = bits(count)
    return directions.visited((0..<1 << bits).lazy.map { reverse($0, bits: bits) }, bits: bits)
  }

  /// Passes through parts of the half turn of at least `degreesMin` each; first to the parts' edges, those of half the
  /// parts before those of all, then into the parts, at the same place of each in one pass.
  private static func passes(_ degreesMin: Double, count: Int, _ directions: [Int]) -> [Int] {
    let bits = bits(count)
    let splits = Int(min(log2(180 / degreesMin), Double(bits))), inner = bits - splits
    let edges = [0] + (0..<splits).flatMap { split in (0..<1 << split).map { (2 * $0 + 1) << (bits - split - 1) } }
    let inside = (1..<1 << inner).flatMap { number in
      (0..<1 << splits).map { $0 << inner + reverse(number, bits: inner) }
    }
    return directions.visited(edges + inside, bits: bits)
  }

  /// Binary digits of the numbers below `count`.
  static func bits(_ count: Int) -> Int {
    count > 1 ? Int.bitWidth - (count - 1).leadingZeroBitCount : 0
  }

  /// The lowest `bits` digits of a number in reverse.
  static func reverse(_ number: Int, bits: Int) -> Int {
    var (rest, reversed) = (number, 0)
    for _ in 0..<bits { (rest, reversed) = (rest >> 1, reversed << 1 | rest & 1) }
    return reversed
  }

  private static func golden(count: Int, _ directions: [Int]) -> [Int] {
    let ratio = (5.0.squareRoot() - 1) / 2
    var free = FreePositions(count: count)
    return (0..<count).map { number in
      let turn = Double(number) * ratio
      return directions[free.takeNearest(to: (turn - turn.rounded(.down)) * Double(count))]
    }
  }
}

extension [Int] {
  /// The elements nearest to `places`, fractions of a turn through all of them in units of 2^−bits; each once.
  fileprivate func visited(_ places: some Sequence<Int>, bits: Int) -> [Int] {
    guard count > 1 else { return self }
    var isTaken = [Bool](repeating: false, count: count)
    var visits: [Int] = []
    visits.reserveCapacity(count)
    for place in places {
      // The last one may round to a half turn, which is the direction of the first.
      let position = (place * count + 1 << (bits - 1)) >> bits % count
      guard !isTaken[position] else { continue }
      isTaken[position] = true
      visits.append(self[position])
    }
    return visits
  }
}

/// The direction of an angle: modulo a half turn, which a parallel beam does not tell apart, or another `period`. In
/// [0, period).
func direction(_ theta: Double, period: Double = .pi) -> Double {
  let rest = theta.truncatingRemainder(dividingBy: period)
  let direction = rest < 0 ? rest + period : rest
  // What rounding left just below the period is 0.
  return period - direction < 1e-9 ? 0 : direction
}

/// How many of the first `thetas` see the object from all directions: the least number, between which no gap is wider
/// than `gap` radians, modulo a half turn, or another `period`; nil where all of them leave a wider one.
package func directionsCovered(thetas: [Double], gap: Double, period: Double = .pi) -> Int? {
  func isCovered(_ count: Int) -> Bool {
    let directions = thetas[..<count].map { direction($0, period: period) }.sorted()
    guard let first = directions.first, let last = directions.last else { return false }
    let tolerance = gap * (1 + 1e-9)
    return zip(directions, directions.dropFirst()).allSatisfy { $1 - $0 <= tolerance }
      && first + period - last <= tolerance
  }
  guard isCovered(thetas.count) else { return nil }
  // More angles never make a gap wider.
  var (low, high) = (0, thetas.count)
  while high - low > 1 {
    let middle = (low + high) / 2
    if isCovered(middle) { high = middle } else { low = middle }
  }
  return high
}

/// Different directions among `thetas`, modulo a half turn, or another `period`: the projections of a half turn where a
/// scan goes through the same angles again and again. Angles are the same that lie within a quarter of what even ones
/// would be apart.
package func directionCount(thetas: [Double], period: Double = .pi) -> Int {
  let directions = thetas.map { direction($0, period: period) }.sorted()
  guard let first = directions.first, let last = directions.last else { return 0 }
  let tolerance = 0.25 * period / Double(directions.count)
  let count = 1 + zip(directions, directions.dropFirst()).count { $1 - $0 > tolerance }
  return count > 1 && first + period - last <= tolerance ? count - 1 : count
}
