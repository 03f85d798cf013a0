package import RunModel

/// One of Slipring's own works beside the run: takes the newest volume each time that there is one, says figures of it,
/// and writes what others read. At last it works on the finished volume; what comes of that depends on it alone, not on
/// what was seen before, nor on how often this process died.
package final class LiveStage {
  /// How often it wants to hear of the volume.
  package enum Pace: Equatable, Sendable {
    /// Whenever there is a newer one, but not more often than this.
    case every(Duration)
    /// The finished one alone.
    case final
  }

  /// What the stage has of its process.
  package struct Environment {
    /// What it reads.
    let source: LiveSource
    /// Where the numbers behind the labels are that it reads; nil where it reads numbers, or nobody has them.
    let grey: LiveSource?
    /// What it writes; nil for figures alone.
    let output: StageVolume?
    /// Threads for the finished volume, when nobody else computes.
    let threads: Int
    /// Waits a moment; true when what is read is complete.
    let waitForEnd: () throws -> Bool
    /// Says figures, none of them for a sign of life.
    let say: ([String: Double]) -> Void
    /// Writes what was found in the finished volume.
    let write: (VolumeAnalysis) throws -> Void

    /// As given.
    package init(
      source: LiveSource, grey: LiveSource?, output: StageVolume?, threads: Int,
      waitForEnd: @escaping () throws -> Bool, say: @escaping ([String: Double]) -> Void,
      write: @escaping (VolumeAnalysis) throws -> Void
    ) {
      (self.source, self.grey, self.output, self.threads) = (source, grey, output, threads)
      (self.waitForEnd, self.say, self.write) = (waitForEnd, say, write)
    }
  }

  let work: LiveWork
  let environment: Environment
  private let pace: Pace
  private var skipped: UInt64 = 0
  private var spokenAt: ContinuousClock.Instant?

  private static let silenceMax: Duration = .seconds(1)

  /// As given; the output has the type of pixels that the work writes.
  package init(_ work: LiveWork, pace: Pace, _ environment: Environment) {
    (self.work, self.pace, self.environment) = (work, pace, environment)
  }

  /// Works until what is read is complete.
  package func run() throws {
    var seen: [UInt64]?, due = ContinuousClock.now
    while true {
      let isLast = try environment.waitForEnd()
      let newest = environment.source.newest
      if isLast || isWanted(newest, seen, due) {
        if let seen { skipped += zip(newest, seen).map { $0 > $1 + 1 ? $0 - $1 - 1 : 0 }.max() ?? 0 }
        seen = newest
        if case .every(let period) = pace { due = .now + period }
        try turn(isLast: isLast)
      }
      if isLast { return }
      beat()
    }
  }

  private func isWanted(_ newest: [UInt64], _ seen: [UInt64]?, _ due: ContinuousClock.Instant) -> Bool {
    guard case .every = pace else { return false }
    return newest != seen && !newest.contains(0) && ContinuousClock.now >= due
  }

  private func turn(isLast: Bool) throws {
    let generation = try environment.source.take(beat: beat)
    var figures =
      switch work {
      case .denoise(let method): try denoise(method, isLast: isLast)
      case .segment(let within): try segment(within: within)
      case .analyse(let within): try analyse(within: within, isLast: isLast)
      }
    environment.output?.publish(source: generation, isComplete: isLast)
    figures["skipped"] = Double(skipped)
    figures["generation"] = Double(generation)
    environment.say(figures)
    spokenAt = .now
  }

  /// A sign of life once a second.
  func beat() {
    guard spokenAt.map({ .now - $0 > Self.silenceMax }) ?? true else { return }
    spokenAt = .now
    environment.say([:])
  }
}
