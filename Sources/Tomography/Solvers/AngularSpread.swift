/// Earlier projections that an update uses beside the newest ones: evenly spread in angle over the newest `reach`, so
/// that the volume goes on fitting directions that are not measured now, and forgets what a moving sample was before.
package struct AngularSpread: Sendable, Equatable {
  /// Projections that an update draws.
  package let count: Int
  /// The newest projections, from which they are drawn.
  package let reach: Int

  /// `count` ≥ 0, `reach` ≥ 1.
  package init(count: Int, reach: Int) {
    precondition(count >= 0 && reach >= 1, "\(count) projections of the newest \(reach)")
    self.count = count
    self.reach = reach
  }

  /// Half of the newest half turn, for a scan with so many projections in one: the newest quarter turn where
  /// projections come in the order of their angles.
  package init(count: Int, projectionsPerHalfTurn: Int) {
    self.init(count: count, reach: max(1, projectionsPerHalfTurn / 2))
  }

  /// Projections of the half turn of which it reaches over half.
  var projectionsPerHalfTurn: Int { 2 * reach }

  /// Places in `total` projections, sorted by angle, that update `number` draws, in rising order: all where there are
  /// not more than `count`. The offset follows the golden ratio, so that every projection gets its turn, and updates
  /// that follow each other take distant ones. Arithmetic without a state: who starts again draws the same.
  func places(update number: Int, of total: Int) -> [Int] {
    guard total > count else { return Array(0..<total) }
    let offset = (Double(number) * Self.goldenRatio).truncatingRemainder(dividingBy: 1)
    return (0..<count).map { min(Int((offset + Double($0)) * Double(total) / Double(count)), total - 1) }
  }

  /// What the newest projections count for of an update, and the drawn ones for the rest.
  package static let newestPart: Float = 0.5

  /// An update over the newest projections and others, each group with its part however many it has: what one is wrong
  /// by is taken from the volume before the other was. Two updates one after the other would read and write the volume
  /// twice.
  package static func together(
    newest: [WindowAngle], others: [WindowAngle], newestPart: Float = newestPart
  ) -> [WindowAngle] {
    guard !newest.isEmpty, !others.isEmpty else { return newest + others }
    func sharing(_ part: Float, _ angles: [WindowAngle]) -> [WindowAngle] {
      angles.map { WindowAngle(theta: $0.theta, slot: $0.slot, share: part / Float(angles.count)) }
    }
    return sharing(newestPart, newest) + sharing(1 - newestPart, others)
  }

  /// (√5 − 1) / 2
  private static let goldenRatio = 0.618_033_988_749_894_8
}

/// The newest projections of a scan, sorted by their directions. Appending one moves as many as there are, and
/// allocates nothing.
package struct NewestDirections: Sendable {
  /// A projection.
  package struct Entry: Sendable, Equatable {
    /// Its number in the order in which projections came.
    package let ordinal: Int
    /// Its sequence in its topic.
    package let sequence: UInt64
    /// Its angle, in radians.
    package let theta: Double
    fileprivate let direction: Double

    fileprivate static func < (first: Entry, second: Entry) -> Bool {
      (first.direction, first.ordinal) < (second.direction, second.ordinal)
    }
  }

  private let capacity: Int
  private var sorted: [Entry] = []
  /// Those of the newest ordinals, in turns.
  private var byOrdinal: [Entry] = []
  /// Where the oldest entry is there.
  private var oldest = 0
  private var count: Int

  /// Of the newest `reach` projections, none of which is known; the next one is number `count`.
  package init(reach: Int, count: Int = 0) {
    capacity = reach
    self.count = count
    sorted.reserveCapacity(reach + 1)
    byOrdinal.reserveCapacity(reach)
  }

  /// The next projection, of a finite `theta`; the oldest goes where there are enough.
  package mutating func append(sequence: UInt64, theta: Double) {
    let entry = Entry(ordinal: count, sequence: sequence, theta: theta, direction: Tomography.direction(theta))
    count += 1
    if byOrdinal.count < capacity {
      byOrdinal.append(entry)
    } else {
      sorted.remove(at: place(of: byOrdinal[oldest]))
      byOrdinal[oldest] = entry
      oldest = (oldest + 1) % capacity
    }
    sorted.insert(entry, at: place(of: entry))
  }

  /// What update `number` draws, in the order of the ordinals.
  package func drawn(by spread: AngularSpread, update number: Int) -> [Entry] {
    spread.places(update: number, of: sorted.count).map { sorted[$0] }.sorted { $0.ordinal < $1.ordinal }
  }

  /// The place of an entry, or where it belongs.
  private func place(of entry: Entry) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < entry { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
