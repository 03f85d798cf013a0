import Tomography

/// Which projections the updates of a measured run work on.
package enum StreamWindows: Sendable, Equatable {
  /// The newest `length`, every `step` of them.
  case sliding(length: Int, step: Int)
  /// What auto makes while somebody looks: the newest projection and some that are spread in angle, smoothed now and
  /// then.
  case spread

  /// Of spread windows, beside the newest projection.
  static let spreadCount = 2

  /// As in `24, 1`.
  var text: String {
    switch self {
    case .sliding(let length, let step): "\(length), \(step)"
    case .spread: "1 + \(Self.spreadCount) spread"
    }
  }

  func schedule(projections: Int, iterations: Int) -> WindowSchedule {
    switch self {
    case .sliding(let length, let step): WindowSchedule(length: length, step: step, iterations: iterations)
    case .spread:
      WindowSchedule(
        newest: 1, spread: AngularSpread(count: Self.spreadCount, projectionsPerHalfTurn: projections),
        iterations: iterations)
    }
  }

  /// What all updates of a scan of so many projections do at least.
  func work(projections: Int, iterations: Int) -> (angles: Int, bytesPerVoxel: Double) {
    let schedule = schedule(projections: projections, iterations: iterations)
    let updates = schedule.updateCount(projections: projections, isComplete: true)
    var angles = 0, bytes = 0.0
    for update in 0..<updates {
      let end = (update + 1) * schedule.step, newest = schedule.window(end: end, projections: projections)
      let others = schedule.spread.map { min($0.count, newest.lowerBound) } ?? 0
      angles += (newest.count + others) * iterations
      // A x reads the volume; the update reads and writes it.
      bytes += Double(Self.updateBytes * iterations)
      let isSmoothed = schedule.spread != nil && WindowSmoothing.Schedule.standard.isDue(after: update)
      if isSmoothed { bytes += Double(Self.smoothingBytes) }
    }
    return (angles, bytes)
  }

  /// Of a voxel: three floats; and for all inner steps at once, one that is read and written.
  private static let (updateBytes, smoothingBytes) = (12, 8)
}
