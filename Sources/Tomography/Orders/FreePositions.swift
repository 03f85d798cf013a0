/// Positions on a circle of which the nearest free one is found in nearly constant time, however many are taken: each
/// taken position points on to the next free one of either side (disjoint sets, R. E. Tarjan, J. ACM 22, 1975).
struct FreePositions {
  private let count: Int
  /// The position itself while it is free; nearer to the next free one otherwise. As offsets on a line of three turns,
  /// so that nothing wraps.
  private var after: [Int]
  private var before: [Int]

  init(count: Int) {
    self.count = count
    after = Array(0..<count)
    before = Array(0..<count)
  }

  /// Takes the free position that is nearest to `place`, which is from 0 to below `count`; of two the one that is met
  /// first going up. One must be free.
  mutating func takeNearest(to place: Double) -> Int {
    let up = Self.find(&after, from: Int(place.rounded(.up)) % count)
    let down = Self.find(&before, from: Int(place.rounded(.down)) % count)
    let wayUp = distance(from: place, to: Double(up)), wayDown = distance(from: Double(down), to: place)
    let taken = wayUp <= wayDown ? up : down
    after[taken] = (taken + 1) % count
    before[taken] = (taken + count - 1) % count
    return taken
  }

  /// Going up around the circle.
  private func distance(from start: Double, to end: Double) -> Double {
    end >= start ? end - start : end - start + Double(count)
  }

  /// The first position from `start` on that points to itself, with the way there made shorter.
  private static func find(_ next: inout [Int], from start: Int) -> Int {
    var (position, steps) = (start, 0)
    while next[position] != position {
      precondition(steps <= next.count, "no position is free")
      next[position] = next[next[position]]
      position = next[position]
      steps += 1
    }
    return position
  }
}
