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
  /// Multiples of the golden angle, 111.246° = 180° (√5 − 1) / 2 (S. Winkelmann et al., IEEE Trans. Med. Imaging 26,
  /// 2007), each moved to the nearest angle of the scan that was not yet visited.
  case golden

  /// The order as numbers of a scan's angles, each once.
  ///
  /// Bit reversal and golden take the scan's angles by their direction, that is modulo a half turn; they expect them to
  /// be evenly spaced there.
  /// - Parameter thetas: the angles in radians.
  package func visits(thetas: [Double]) -> [Int] {
    switch self {
    case .sequential: Array(thetas.indices)
    case .interleaved(let passes):
      (0..<max(1, passes)).flatMap { Array(stride(from: $0, to: thetas.count, by: max(1, passes))) }
    case .bitReversal: Self.bitReversal(count: thetas.count, byDirection(thetas))
    case .golden: Self.golden(count: thetas.count, byDirection(thetas))
    }
  }

  /// Angles in the order of their directions.
  private func byDirection(_ thetas: [Double]) -> [Int] {
    let directions = thetas.map(direction)
    return thetas.indices.sorted { (directions[$0], $0) < (directions[$1], $1) }
  }

  /// Positions j · count / 2^m with the digits of j backwards, to the nearest angle. They lie at most one angle apart,
  /// so each is met.
  private static func bitReversal(count: Int, _ directions: [Int]) -> [Int] {
    guard count > 1 else { return directions }
    let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
    var isTaken = [Bool](repeating: false, count: count)
    var visits: [Int] = []
    visits.reserveCapacity(count)
    for number in 0..<1 << bits {
      let reversed = reverse(number, bits: bits)
      // The last position may round to a half turn, which is the direction of the first.
      let position = (reversed * count + 1 << (bits - 1)) >> bits % count
      guard !isTaken[position] else { continue }
      isTaken[position] = true
      visits.append(directions[position])
    }
    return visits
  }

  private static func reverse(_ number: Int, bits: Int) -> Int {
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

/// The direction of an angle: modulo a half turn, which a parallel beam does not tell apart. In [0, π).
func direction(_ theta: Double) -> Double {
  let rest = theta.truncatingRemainder(dividingBy: .pi)
  let direction = rest < 0 ? rest + .pi : rest
  // What rounding left just below a half turn is 0.
  return .pi - direction < 1e-9 ? 0 : direction
}

/// How many of the first `thetas` see the object from all directions: the least number, between which no gap is wider
/// than `gap` radians, modulo a half turn; nil where all of them leave a wider one.
package func directionsCovered(thetas: [Double], gap: Double) -> Int? {
  func isCovered(_ count: Int) -> Bool {
    let directions = thetas[..<count].map(direction).sorted()
    guard let first = directions.first, let last = directions.last else { return false }
    let tolerance = gap * (1 + 1e-9)
    return zip(directions, directions.dropFirst()).allSatisfy { $1 - $0 <= tolerance }
      && first + .pi - last <= tolerance
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
