/// A figure of a run that is looked at ten times a second. The order is on disk: new ones come at the end, and a place
/// is never used for something else.
package enum Gauge: String, CaseIterable, Sendable {
  /// Mean count of the detector's outermost columns, on the brighter side, where the beam passes the sample by: what a
  /// turning sample does not change.
  case intensity
  /// Rows of the detector that are dark there while others are not.
  case deadRows = "dead-rows"
  /// Projections a second, from when they were acquired.
  case rate
  /// Projections that were acquired and not yet taken by the slowest worker.
  case lag
  /// Seconds that the slowest worker computed at its newest update.
  case updateSeconds = "update-seconds"
  /// Images in memory that are not on disk yet.
  case buffered
  /// Images that a full ring had no room for, so far.
  case spilled
  /// Free bytes where the run's folder is, or the output's where that has less.
  case diskFree = "disk-free"
  /// The same, less what the rest of the scan and the output will take.
  case diskSpare = "disk-spare"
  /// Frames of the source that never came, so far.
  case missing
  /// Frames that came twice, late, damaged or empty, so far.
  case faults
  /// Pixels that no projection has a value for, so far.
  case deadPixels = "dead-pixels"
  /// Pixels that were no number, at or below the dark field, or below zero, so far.
  case correctedPixels = "corrected-pixels"
  /// Norm of b − A x over norm of b, of the newest updates.
  case residual
  /// MS-SSIM, the lowest of the newest scores of workers and granules that count.
  case similarity
  /// How often stages were started again, so far.
  case restarts
  /// Percent of the last ten seconds in which something waited for a processor (/proc/pressure).
  case processorPressure = "cpu-pressure"
  /// The same for a disk.
  case diskPressure = "io-pressure"
  /// The same for memory.
  case memoryPressure = "memory-pressure"
  /// Packets that sockets of this machine had no room for, since the run began.
  case socketDrops = "socket-drops"
  /// Stages that wait for room on disk.
  case diskFull = "disk-full"
  /// Projections from one update to the next.
  case step
  /// Projections between the fastest worker and the slowest.
  case workerSpread = "worker-spread"
  /// The time that the slowest worker computed at its newest update, as a part of the time from one update to the next.
  /// Above 1 it falls behind.
  case workload

  /// Its place in a sample.
  package var place: Int {
    switch self {
    case .intensity: 0
    case .deadRows: 1
    case .rate: 2
    case .lag: 3
    case .updateSeconds: 4
    case .buffered: 5
    case .spilled: 6
    case .diskFree: 7
    case .diskSpare: 8
    case .missing: 9
    case .faults: 10
    case .deadPixels: 11
    case .correctedPixels: 12
    case .residual: 13
    case .similarity: 14
    case .restarts: 15
    case .processorPressure: 16
    case .diskPressure: 17
    case .memoryPressure: 18
    case .socketDrops: 19
    case .diskFull: 20
    case .step: 21
    case .workerSpread: 22
    case .workload: 23
    }
  }

  /// What its scatter is taken for at least: a share of its mean, and a value. Less than that is no reason to wake
  /// somebody, however steady it was before.
  var scatterMin: (share: Double, value: Double) {
    switch self {
    case .intensity: (0.02, 0.5)
    case .deadRows: (0, 0.5)
    case .rate, .residual, .similarity: (0.05, 0)
    case .updateSeconds: (0.1, 0.001)
    case .workload: (0.1, 0.2)
    case .diskFree, .diskSpare: (0.001, 1_048_576)
    case .processorPressure, .diskPressure, .memoryPressure: (0.1, 2)
    default: (0.05, 1)
    }
  }
}

/// One look at all gauges.
package struct GaugeSample: Equatable, Sendable {
  /// When, in nanoseconds since 1970.
  package var at: UInt64
  /// The newest image then: its place in the topic of the images; nil before the first.
  package var evidence: UInt64?
  /// In the order of `Gauge.place`, as they are kept; NaN where nothing new is known.
  package var values: [Float]

  /// A look at `at` that knows nothing.
  package init(at: UInt64, evidence: UInt64? = nil) {
    (self.at, self.evidence) = (at, evidence)
    values = [Float](repeating: .nan, count: Gauge.allCases.count)
  }

  /// A figure; nil where nothing new is known.
  package subscript(_ gauge: Gauge) -> Double? {
    get { values[gauge.place].isFinite ? Double(values[gauge.place]) : nil }
    set { values[gauge.place] = newValue.map { Float($0) } ?? .nan }
  }
}
