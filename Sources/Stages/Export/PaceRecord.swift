internal import Histogram
package import RunModel

/// How long projections waited for the volume that has them, and for which share of the time which level was in effect,
/// from what workers report. Those that came between the first and the last of an update are taken to have come evenly.
package struct PaceRecord {
  private let levels: [String]
  private var waits = Histogram<UInt64>(highestTrackableValue: PaceRecord.longest, numberOfSignificantValueDigits: .two)
  private var largest: UInt64 = 0
  /// Nanoseconds at each level, of all workers.
  private var spent: [Double]
  /// Of each worker, the update after the last one that was counted, and when its newest projection was acquired.
  private var workers: [(next: Int, acquiredAt: UInt64?)]

  /// In microseconds: longer waits are counted as this one.
  private static let longest: UInt64 = 7 * 86_400_000_000
  /// The most projections of one update that are told apart.
  private static let pointsMax = 4096

  /// For so many workers; `levels` has a word for each.
  package init(levels: [String], workers: Int) {
    self.levels = levels
    spent = levels.map { _ in 0 }
    self.workers = Array(repeating: (0, nil), count: workers)
  }

  /// Takes note of what a worker reports; what is reported again changes nothing.
  package mutating func add(_ update: UpdateEvent, worker: Int) {
    guard update.phase == .window, update.index >= workers[worker].next else { return }
    workers[worker].next = update.index + 1
    guard let timing = update.timing else { return }
    if let before = workers[worker].acquiredAt, timing.acquired.upperBound > before, timing.level < spent.count {
      spent[timing.level] += Double(timing.acquired.upperBound - before)
    }
    workers[worker].acquiredAt = timing.acquired.upperBound
    let (oldest, newest) = (timing.acquired.lowerBound, timing.acquired.upperBound)
    let points = min(timing.count, Self.pointsMax)
    let (share, more) = timing.count.quotientAndRemainder(dividingBy: points)
    for point in 0..<points {
      let at = oldest + UInt64(Double(newest - oldest) * (points == 1 ? 1 : Double(point) / Double(points - 1)))
      let wait = min((timing.published - min(timing.published, at)) / 1000, Self.longest)
      waits.record(wait, count: UInt64(share + (point < more ? 1 : 0)))
      largest = max(largest, wait)
    }
  }

  /// The figures; nil before a projection was used.
  package var report: PaceReport? {
    guard waits.totalCount > 0 else { return nil }
    let all = spent.reduce(0, +)
    func seconds(_ microseconds: UInt64) -> Double { Double(min(microseconds, largest)) / 1e6 }
    return PaceReport(
      latencyP50: seconds(waits.valueAtPercentile(50)), latencyP99: seconds(waits.valueAtPercentile(99)),
      latencyMax: seconds(largest),
      levels: zip(levels, spent).map {
        PaceReport.Level(level: $0, share: all > 0 ? $1 / all : $0 == levels[0] ? 1 : 0)
      })
  }
}
