/// How much time a worker spends on what only a successor needs: a small part of all. Where updates follow each other
/// without a pause one in several is sealed, and where the worker waits for projections every one.
struct SealBudget {
  /// Of the time since the worker began, for checksums of its volume.
  static let volumeShare = 0.03
  /// Of the time since the final iterations began, for the solver's state: about twenty times as long as it takes to
  /// save it passes from one to the next.
  static let stateShare = 0.05

  private let share: Double
  private let start = ContinuousClock.now
  private var spent = Duration.zero
  private var last = Duration.zero

  /// Of so large a part of the time from now on.
  init(share: Double) { self.share = share }

  /// Whether one more is within the budget.
  var isAffordable: Bool { (spent + last) / .seconds(1) <= share * ((.now - start) / .seconds(1)) }

  /// Runs something that is paid from it.
  mutating func spend<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    let begin = ContinuousClock.now
    try body()
    last = .now - begin
    spent += last
  }
}
