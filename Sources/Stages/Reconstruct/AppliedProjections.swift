/// The projections that a worker has applied, by their ordinals. A successor knows at once how many they are, and of
/// the newest what it needs of them; the older ones are looked up in the orders by who needs all.
struct AppliedProjections {
  /// Where to find a projection again, and its angle.
  struct Projection: Equatable {
    /// Its sequence in the topic of the images.
    let sequence: UInt64
    /// In radians.
    let theta: Double
  }

  /// The lowest ordinal that is known.
  private(set) var firstKnown = 0
  private var known: [Projection] = []

  /// How many were applied.
  var count: Int { firstKnown + known.count }

  /// A projection with an ordinal that is known.
  subscript(ordinal: Int) -> Projection {
    precondition(ordinal >= firstKnown && ordinal < count, "projection \(ordinal) of \(firstKnown)..<\(count)")
    return known[ordinal - firstKnown]
  }

  /// All of them; every one has to be known.
  var all: [Projection] {
    precondition(firstKnown == 0, "\(firstKnown) projections were not looked up")
    return known
  }

  /// Makes room, so that nothing is allocated while projections come.
  mutating func reserveCapacity(_ capacity: Int) { known.reserveCapacity(capacity) }

  /// Takes note of the next one.
  mutating func append(_ projection: Projection) { known.append(projection) }

  /// Goes on after `count` projections, none of which is known.
  mutating func begin(after count: Int) {
    precondition(self.count == 0 && count >= 0, "\(self.count) projections were applied, not \(count)")
    firstKnown = count
  }

  /// Takes note of those right before the known ones, in their order.
  mutating func insertBefore(_ projections: some Collection<Projection>) {
    precondition(projections.count <= firstKnown, "\(projections.count) projections before number \(firstKnown)")
    known.insert(contentsOf: projections, at: 0)
    firstKnown -= projections.count
  }
}
