/// How fast counters go: their difference over the last few seconds.
struct Rates {
  private var samples: [(at: ContinuousClock.Instant, values: [String: Double])] = []

  private static let period: Duration = .seconds(5)
  private static let gap: Duration = .milliseconds(200)
  private static let samplesMax = 32

  /// Takes the counters as they are now.
  mutating func sample(_ values: [String: Double], now: ContinuousClock.Instant) {
    if let last = samples.last, now - last.at < Self.gap { return }
    samples.append((now, values))
    // One sample older than the period stays, so that there is always one to compare with.
    while samples.count > 2, samples[1].at < now - Self.period || samples.count > Self.samplesMax {
      samples.removeFirst()
    }
  }

  /// A counter's rate a second; 0 before there are two samples. A counter that went back, as after a restart, stands
  /// still.
  func rate(_ name: String) -> Double {
    guard let first = samples.first(where: { $0.values[name] != nil }), let last = samples.last, last.at > first.at,
      let (a, b) = first.values[name].flatMap({ a in last.values[name].map { (a, $0) } })
    else { return 0 }
    return max(0, b - a) / ((last.at - first.at) / .seconds(1))
  }
}
