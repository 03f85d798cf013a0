internal import Host

/// How long somebody waits who has failed several times in a row (F10): 100 ms, doubled each time up to 5 s, and a half
/// more or less of it, so that many do not ask at the same time.
package struct BackOff: Sendable {
  /// Failures in a row.
  private(set) var failures = 0
  private var random: SplitMix64
  private let doubles: Bool
  /// The wait after the first failure.
  static let first: Duration = .milliseconds(100)
  /// The longest one, before chance has its part.
  static let longest: Duration = .seconds(5)

  /// No failure yet.
  package init(seed: UInt64 = Machine.monotonicNanoseconds, rules: FabricRules = FabricRules()) {
    (random, doubles) = (SplitMix64(seed: seed), rules.backsOff)
  }

  /// Takes note of a failure; how long to wait now.
  package mutating func fail() -> Duration {
    guard doubles else { return .zero }
    let doubled = Self.first * (1 << min(failures, 6))
    failures += 1
    return min(doubled, Self.longest) * Double.random(in: 0.5..<1.5, using: &random)
  }

  /// Takes note that it went well.
  package mutating func succeed() { failures = 0 }
}
