/// How far behind the slowest worker is.
struct UpdateBacklog {
  /// Projections.
  var lag: Int
  /// A lag above which it is too far behind; 0 for none.
  var lagMax: Int
  /// Seconds that the newest projection will have waited for its update, over half of what is allowed: what was ordered
  /// before a change still has to be made after it. Nil where there is no limit.
  var latency: Double?

  /// As given.
  init(lag: Int, lagMax: Int, latency: Double? = nil) {
    (self.lag, self.lagMax, self.latency) = (lag, lagMax, latency)
  }

  /// Whether it is too far behind.
  var isBehind: Bool { lagMax > 0 && lag > lagMax || latency.map { $0 > 1 } ?? false }

  /// Whether it is so near that more can be done.
  var isAhead: Bool {
    (lagMax > 0 || latency != nil) && (lagMax == 0 || lag < lagMax / 4) && latency.map { $0 < 0.25 } ?? true
  }
}
