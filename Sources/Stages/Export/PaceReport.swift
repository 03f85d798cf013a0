/// How updates kept up with the projections while the scan ran.
package struct PaceReport: Codable, Equatable, Sendable {
  /// What was done about updates, and for how long.
  package struct Level: Codable, Equatable, Sendable {
    /// `full`, or the last step of the ladder that was in effect.
    package var level: String
    /// Share of the time, 0…1.
    package var share: Double
  }

  /// Seconds from when a projection was acquired to the volume that has it: half of those that updates used waited no
  /// longer than this.
  package var latencyP50: Double
  /// 99 of 100.
  package var latencyP99: Double
  /// All of them.
  package var latencyMax: Double
  /// Every level, from the one at which every update is made of every projection.
  package var levels: [Level]

  /// Whether there was ever another level than that.
  package var wasSlow: Bool { levels.dropFirst().contains { $0.share > 0 } }

  /// As in `full 61.2 %, widen 38.8 %`.
  package var shares: String {
    levels.map { "\($0.level) \(Self.text(100 * $0.share)) %" }.joined(separator: ", ")
  }

  /// In one sentence.
  package var words: String {
    "updates did not keep up: \(shares) of the time; from acquisition to volume p50 \(Self.text(1000 * latencyP50)) "
      + "ms, p99 \(Self.text(1000 * latencyP99)) ms"
  }

  /// What goes into the output's attributes.
  var facts: [String: String] {
    ["latency_p50": "\(latencyP50)", "latency_p99": "\(latencyP99)", "update_levels": shares]
  }

  private static func text(_ value: Double) -> String { "\((10 * value).rounded() / 10)" }
}
