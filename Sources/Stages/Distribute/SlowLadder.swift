import RunModel

/// What is done about updates while the workers do not keep up, step by step: a level is how many steps are in effect.
package struct SlowLadder: Equatable, Sendable {
  /// One thing to do.
  package enum Step: Equatable, Sendable {
    /// Make updates less often, as far apart as is needed.
    case widen
    /// Use every so manieth of the newest projections; the others are for the final iterations alone.
    case decimate(Int)
    /// Make updates on a grid of half the columns and rows.
    case coarse

    /// As a person writes it.
    package var word: String {
      switch self {
      case .widen: "widen"
      case .decimate(let every): "decimate:\(every)"
      case .coarse: "coarse"
      }
    }
  }

  /// In the order in which they come into effect.
  package let steps: [Step]

  /// The most steps.
  private static let stepsMax = 8

  /// What is done where nobody says anything else.
  package static let standard = SlowLadder(steps: [.widen])

  private init(steps: [Step]) { self.steps = steps }

  /// At least one step; `widen` and `coarse` once at most, and each `decimate` leaves out more than the one before. Nil
  /// for others.
  package init?(_ steps: [Step]) {
    let counts = steps.compactMap { if case .decimate(let every) = $0 { every } else { nil } }
    let others = [Step.widen, .coarse].map { step in steps.count { $0 == step } }
    guard (1...Self.stepsMax).contains(steps.count), others.allSatisfy({ $0 <= 1 }),
      counts.allSatisfy({ (2...WorkerOrder.everyMax).contains($0) }), zip(counts, counts.dropFirst()).allSatisfy(<)
    else { return nil }
    self.steps = steps
  }

  /// One in how many of the newest projections updates take at a level.
  package func decimation(at level: Int) -> Int {
    steps.prefix(level).reduce(1) { if case .decimate(let every) = $1 { every } else { $0 } }
  }

  /// Whether updates are made less often at a level.
  package func widens(at level: Int) -> Bool { steps.prefix(level).contains(.widen) }

  /// Whether they are made on a coarse grid.
  func coarsens(at level: Int) -> Bool { steps.prefix(level).contains(.coarse) }

  /// Whether they ever are.
  package var coarsens: Bool { coarsens(at: steps.count) }

  /// How many times as long an update takes without the last step of a level, at most.
  func work(ofLast level: Int) -> Double {
    switch steps[level - 1] {
    case .widen: 1
    // Of so many times the projections.
    case .decimate(let every): Double(every) / Double(decimation(at: level - 1))
    case .coarse: Self.coarseWork
    }
  }

  /// Of twice the columns in x and y, and twice the rows.
  private static let coarseWork = 8.0

  /// What each level is called, from that at which everything is done.
  package var levels: [String] { ["full"] + steps.map(\.word) }
}
