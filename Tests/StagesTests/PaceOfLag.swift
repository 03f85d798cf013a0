@testable import Stages

// Paces as a lag alone makes them.
extension UpdateInterval {
  mutating func next(_ present: Int, lag: Int, projections: Int, needed: (_ isBehind: Bool) -> Int?) -> Int {
    next(present, UpdateBacklog(lag: lag, lagMax: lagMax), projections: projections, needed: needed)
  }
}

extension UpdatePace {
  mutating func interval(isBehind: Bool) -> Int? {
    steps(isBehind: isBehind).map { max(1, Int($0.rounded(.up))) }
  }
}
