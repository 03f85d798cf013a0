import Glibc
import RunModel

/// Waits for what no event tells of.
struct VolumeWait {
  let limits: WaitLimits
  let stopRequested: () -> Bool

  /// How often it looks.
  private static let period: UInt32 = 10_000

  /// Waits until every volume is the one that its worker ended with: after a restart of the machine a worker computes
  /// it again, though all of its updates were reported before. False where a stop was requested.
  func wait(for volumes: [VolumeRegion], _ ends: [EndEvent]) throws -> Bool {
    precondition(volumes.count == ends.count, "\(volumes.count) volumes, \(ends.count) ends")
    return try wait("no finished volume") {
      zip(volumes, ends).allSatisfy { volume, end in
        let newest = volume.newest
        return newest.number >= end.generation && !volume.awaitsSeal(newest)
      }
    }
  }

  /// Looks every 10 ms whether something is there; false where a stop was requested.
  func wait(_ problem: String, until isThere: () -> Bool) throws -> Bool {
    var start = ContinuousClock.now
    while !isThere() {
      if stopRequested() { return false }
      guard !limits.isOver(since: &start) else {
        throw StageError.stalled("\(problem) for \(limits.idle)")
      }
      usleep(Self.period)
    }
    return true
  }
}
