import Rings
import RunModel
import Tomography

/// How far apart updates must be for the workers to follow: the rate at which projections come, times the seconds that
/// the slowest worker takes for an update.
struct UpdatePace {
  /// Updates over which a worker's time is taken.
  private static let updatesLooked: UInt64 = 8
  /// Projections over which the time between two is averaged.
  private static let projectionsAveraged = 16.0
  /// More than is just enough, so that what has piled up becomes less.
  private static let headroom = 1.25
  /// An update takes a worker no more than so many times what its computation takes.
  private static let overheadMax = 4.0

  private let updates: [RingObserver]
  private let windows: WindowSchedule
  /// Seconds between projections, and when the last one came; nil before.
  private var spacing: Double?
  private var lastAt: UInt64?
  /// What an update took the slowest worker in all when it was behind, over what its computation took: rows are taken
  /// and reports made beside it.
  private var overhead = 1.0

  /// One observer a worker, or none.
  init(updates: [RingObserver], windows: WindowSchedule) { (self.updates, self.windows) = (updates, windows) }

  /// Takes note that a projection was handed out at `now`, in nanoseconds of any clock that goes on steadily.
  mutating func countProjection(at now: UInt64) {
    if let lastAt {
      let seconds = Double(now - min(lastAt, now)) / 1e9
      spacing = spacing.map { $0 + (seconds - $0) / Self.projectionsAveraged } ?? seconds
    }
    lastAt = now
  }

  /// The most steps between updates for which a projection waits no longer than so many seconds; nil where it is not
  /// known how fast they come.
  func interval(within seconds: Double) -> Int? {
    guard let spacing, spacing > 0, windows.step > 0 else { return nil }
    return Int(min(seconds / (spacing * Double(windows.step)), Double(DistributionProgress.intervalMax)))
  }

  /// The steps between updates that the slowest worker could follow, less than one where it could do more; nil where
  /// too little is known.
  mutating func steps(isBehind: Bool) -> Double? {
    guard let spacing, spacing > 0, windows.step > 0 else { return nil }
    let times = updates.compactMap(Self.times)
    guard !updates.isEmpty, times.count == updates.count,
      let slowest = times.max(by: { $0.computing < $1.computing }), slowest.computing > 0
    else { return nil }
    if isBehind { overhead = min(max(slowest.inAll / slowest.computing, 1), Self.overheadMax) }
    let needed = Self.headroom * slowest.computing * overhead / (spacing * Double(windows.step))
    return min(needed, Double(windows.updateIntervalMax))
  }

  /// Mean seconds that a worker's last updates took, computing and in all; nil before there are enough, and where the
  /// ring has not all of them whole: the pace then follows from the lag alone.
  private static func times(_ updates: RingObserver) -> (computing: Double, inAll: Double)? {
    do { return try readTimes(updates) } catch { return nil }
  }

  private static func readTimes(_ updates: RingObserver) throws -> (computing: Double, inAll: Double)? {
    guard let (newest, _) = try updates.latest(), newest.kind == .update, newest.sequence >= updatesLooked else {
      return nil
    }
    var (duration, first) = (UInt64(0), newest.acquiredAt)
    for sequence in newest.sequence - updatesLooked...newest.sequence {
      guard let (header, metadata) = try updates.event(at: sequence), header.kind == .update else { return nil }
      let update = try metadata.withUnsafeBytes { try UpdateEvent(decoding: $0) }
      guard update.phase == .window else { return nil }
      // The first one only says when the others began.
      if sequence == newest.sequence - updatesLooked { first = header.acquiredAt } else { duration &+= update.duration }
    }
    let count = Double(updatesLooked)
    return (Double(duration) / 1e9 / count, Double(newest.acquiredAt - min(first, newest.acquiredAt)) / 1e9 / count)
  }
}
