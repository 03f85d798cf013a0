/// Workers that come while a run is behind and go when it has caught up: when one does.
///
/// One comes or goes in a ``period`` at most. One that has to come back soon after it went stays longer the next time.
/// A value without clock and machine: who has it says what time it is, and does what it says.
struct CatchUp {
  /// What is to be done.
  enum Step: Equatable {
    case add
    case drain(Int)
  }

  /// How far behind the run is.
  struct Backlog {
    /// Projections that the slowest worker has not taken yet.
    var lag: Int
    /// Seconds that a projection of a newest update waited for it at most; nil where that is not known.
    var latency: Double?
    /// Whether updates are made less often, or of fewer projections, than they should.
    var isSlowed: Bool
  }

  /// One comes or goes in so long at most, and none goes before it was not needed for so long.
  static let period = Duration.seconds(3)
  /// None comes or goes for so long after a person has said which workers there are to be.
  static let rest = Duration.seconds(60)
  /// How often the time that it stays is doubled at most.
  private static let doublingsMax = 6

  private let (most, lagMax, latencyMax): (Int, Int, Double?)
  /// Its workers that are there, in the order in which they came.
  private(set) var workers: [Int] = []
  private var (added, drained, returns) = (0, 0, 0)
  private var refusal: String?
  private var (due, calmSince): (ContinuousClock.Instant?, ContinuousClock.Instant?)

  /// At most so many workers more, as long as a worker is behind by more than `lagMax` projections (0 for no limit) or
  /// `latencyMax` seconds.
  init(most: Int, lagMax: Int, latencyMax: Double?) {
    (self.most, self.lagMax, self.latencyMax) = (most, lagMax, latencyMax)
  }

  /// What is to be done now, where workers of the numbers `present` are there; nil for nothing.
  mutating func next(_ backlog: Backlog, present: Set<Int>, at now: ContinuousClock.Instant) -> Step? {
    // A person may have taken some away.
    workers.removeAll { !present.contains($0) }
    if isBehind(backlog) || backlog.isSlowed {
      calmSince = nil
    } else if calmSince == nil, isAhead(backlog) {
      calmSince = now
    }
    guard due ?? now <= now else { return nil }
    if isBehind(backlog) { return workers.count < most ? .add : nil }
    guard let calmSince, isAhead(backlog), now - calmSince >= stay, let last = workers.last else { return nil }
    return .drain(last)
  }

  /// How long a worker stays that is not needed.
  private var stay: Duration { Self.period * (1 << min(returns, Self.doublingsMax)) }

  private func isBehind(_ backlog: Backlog) -> Bool {
    lagMax > 0 && backlog.lag > lagMax || latencyMax.map { backlog.latency ?? 0 > $0 } ?? false
  }

  private func isAhead(_ backlog: Backlog) -> Bool {
    (lagMax == 0 || 4 * backlog.lag < lagMax) && latencyMax.map { 4 * (backlog.latency ?? 0) < $0 } ?? true
  }

  /// Takes note that a worker came.
  mutating func didAdd(_ number: Int, at now: ContinuousClock.Instant) {
    if drained > 0 { returns += 1 }
    workers.append(number)
    added += 1
    (refusal, due) = (nil, now + Self.period)
  }

  /// Takes note that a worker went.
  mutating func didDrain(_ number: Int, at now: ContinuousClock.Instant) {
    workers.removeAll { $0 == number }
    drained += 1
    (due, calmSince) = (now + Self.period, nil)
  }

  /// Takes note that it could not be done, and why. True where that is new.
  mutating func didRefuse(_ reason: String, at now: ContinuousClock.Instant) -> Bool {
    defer { (refusal, due) = (reason, now + Self.period) }
    return refusal != reason
  }

  /// Leaves the workers as a person wants them for a while.
  mutating func rest(at now: ContinuousClock.Instant) { due = now + Self.rest }

  /// For people.
  var report: CatchUpStatus { CatchUpStatus(workers: workers, added: added, drained: drained, refusal: refusal) }
}

/// Workers that came because a run was behind.
package struct CatchUpStatus: Codable, Equatable, Sendable {
  /// The numbers of those that are there.
  package let workers: [Int]
  /// How many came so far.
  package let added: Int
  /// How many went.
  package let drained: Int
  /// Why none came when the run was behind; nil where one did.
  package let refusal: String?
}
