/// How much time a worker spends on checksums of its volume: a small part of all. Where updates follow each other
/// without a pause one in several is sealed, and where the worker waits for projections every one.
struct SealBudget {
  /// Of the time since the worker began.
  private static let share = 0.03

  private let start = ContinuousClock.now
  private var spent = Duration.zero
  private var last = Duration.zero

  /// Whether one more is within the budget.
  var isAffordable: Bool { (spent + last) / .seconds(1) <= Self.share * ((.now - start) / .seconds(1)) }

  /// Runs something that is paid from it.
  mutating func spend<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    let begin = ContinuousClock.now
    try body()
    last = .now - begin
    spent += last
  }
}
