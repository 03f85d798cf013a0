/// Which angles each step of `SubsetSolver` uses, and how far it goes; the same for every block.
///
/// Subsets are interleaved in angle modulo π, with half acquisition modulo 2π, whatever the order in which the
/// projections came, and taken in bit-reversed order, so that those that follow each other lie far apart. Momentum is
/// Nesterov's over all steps, up to a limit.
struct SubsetSchedule {
  struct Step {
    let sweep: Int
    /// Of `subsets`.
    let subset: Int
    /// What the step, and with it the penalty's weight, is multiplied by.
    let relaxation: Float
    /// The part of a subset among M that this one is among 2 M, where they are doubled: its share of the step's length.
    let share: Float
    let momentum: Float
    let endsSweep: Bool
  }

  /// Places of the scan's angles by theta modulo the period.
  let order: [Int]
  /// Places in the scan's angles: M subsets, and then 2 M where those are used.
  private(set) var subsets: [[Int]]
  /// How many of them cover all angles.
  let count: Int
  let sweeps: Int
  private(set) var steps: [Step] = []

  init(thetas: [Double], columns: Int, options: SubsetOptions, period: Double = .pi) {
    let angles = thetas.count, order = SubsetSchedule.order(thetas, period)
    self.order = order
    count = options.subsetCount(angles: angles)
    sweeps = options.sweepCount(angles: angles, columns: columns)
    func split(_ count: Int) -> [[Int]] {
      orderedSubsets(angleCount: angles, subsets: count).map { $0.map { order[$0] } }
    }
    subsets = split(count)
    let doubledCount = min(2 * count, angles), doubledSweeps = min(options.doubledSweeps, sweeps)
    if doubledSweeps > 0 { subsets += split(doubledCount) }
    let relaxed = min(options.relaxedSweeps, sweeps - 1)
    var t = 1.0
    for sweep in 0..<sweeps {
      let isDoubled = sweep < doubledSweeps, count = isDoubled ? doubledCount : self.count
      let momentumMax = options.momentumLimit(count: count, size: angles / count)
      let share = Float(subsets[0].count) / Float(isDoubled ? subsets[self.count].count : subsets[0].count)
      for (index, subset) in bitReversed(count).enumerated() {
        let next = (1 + (1 + 4 * t * t).squareRoot()) / 2
        steps.append(
          Step(
            sweep: sweep, subset: isDoubled ? self.count + subset : subset,
            relaxation: Float(sign: .plus, exponent: min(0, sweeps - relaxed - 1 - sweep), significand: 1),
            share: share, momentum: min(Float((t - 1) / next), momentumMax), endsSweep: index == count - 1))
        t = next
      }
    }
  }

  /// Angles of the largest subset.
  static func subsetSizeMax(angles: Int, options: SubsetOptions) -> Int {
    let count = options.subsetCount(angles: angles)
    return (angles + count - 1) / count
  }

  private static func order(_ thetas: [Double], _ period: Double) -> [Int] {
    let folded = thetas.map { theta in
      let rest = theta.truncatingRemainder(dividingBy: period)
      return rest < 0 ? rest + period : rest
    }
    return thetas.indices.sorted { folded[$0] == folded[$1] ? $0 < $1 : folded[$0] < folded[$1] }
  }
}

/// 0..<count by rising value of the numbers' bits in reverse.
func bitReversed(_ count: Int) -> [Int] {
  let bits = AngleOrder.bits(count)
  return (0..<1 << bits).map { AngleOrder.reverse($0, bits: bits) }.filter { $0 < count }
}
