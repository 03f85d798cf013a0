internal import Host
import ScanPlan
import Simulation
internal import Tomography

/// Measures how good the volume is while a scan runs, with windows of several kinds: at four moments, still and moving,
/// in four orders of the angles.
package struct WindowsBenchmark {
  /// What to measure.
  package struct Options: Sendable {
    /// Columns of the detector.
    package var columns = 128
    /// Projections of a half turn. Moving samples are seen through three, of half as many.
    package var angles = 180
    /// Of a pixel without a sample. Every second slice has a sixth.
    package var photons = 12_000.0
    /// Of all samples and noises.
    package var seed: UInt64 = 101
    /// Whether volumes are cut at zero.
    package var nonNegative = false
    /// Whether moving samples are measured as well as still ones.
    package var moves = true
    /// Compared with the published windows.
    package var policies = [WindowPolicy.standard]

    /// The windows that auto has.
    package init() {}
  }

  private let options: Options
  private let interrupt: () throws -> Void

  private static let orders: [(name: String, order: AngleOrder)] = [
    ("sequential", .sequential), ("interleaved:5", .interleaved(5)), ("bitrev", .bitReversal), ("golden", .golden),
  ]
  private static let published = WindowPolicy.sliding(length: 24)
  private static let (turns, slices, photonsRatio) = (3, 16, 6.0)

  /// `interrupt` is called between scans and may throw to end the measurement. Throws `ScanFailure` (usage) for what
  /// cannot be measured.
  package init(_ options: Options, interrupt: @escaping () throws -> Void = {}) throws {
    guard (32...1024).contains(options.columns) else {
      throw ScanFailure(.usage, "--size \(options.columns) is outside 32…1024")
    }
    guard (24...2000).contains(options.angles) else {
      throw ScanFailure(.usage, "--angles \(options.angles) is outside 24…2000")
    }
    guard options.photons >= 10, options.photons <= 1e7 else {
      throw ScanFailure(.usage, "--photons \(options.photons) is outside 10…1e7")
    }
    (self.options, self.interrupt) = (options, interrupt)
  }

  /// Measures everything; `told` hears of each table.
  package func run(told: (WindowsReport.Table) -> Void = { _ in }) throws -> WindowsReport {
    var report = WindowsReport(
      build: buildName, processor: Machine.processorName, columns: options.columns, angles: options.angles,
      seed: options.seed, tables: [])
    func measure(_ sample: String, _ bed: (AngleOrder) -> WindowsBed) throws {
      for (name, order) in Self.orders {
        try interrupt()
        report.tables.append(WindowsReport.Table(sample: sample, order: name, rows: try rows(on: bed(order))))
        told(report.tables[report.tables.count - 1])
      }
    }
    try measure("still", still)
    if options.moves {
      for motion in MovingFoam.Motion.allCases { try measure(motion.rawValue) { moving(motion, $0) } }
    }
    return report
  }

  private func rows(on bed: WindowsBed) throws -> [WindowsReport.Row] {
    var rows: [WindowsReport.Row] = [], published: [Double] = []
    for policy in [Self.published] + options.policies {
      try interrupt()
      let outcome = bed.follow(policy), all = outcome.qualities.flatMap(\.self)
      if published.isEmpty { published = all }
      let gains = zip(all, published).map { $0 - $1 }
      rows.append(
        WindowsReport.Row(
          windows: policy.name, projections: outcome.projections, updating: outcome.updating,
          smoothing: outcome.smoothing,
          psnr: outcome.qualities.map(mean), worst: gains.min() ?? 0, gain: mean(gains)))
    }
    return rows
  }

  /// Three foams, the head, two cracked disks, a smooth one and rock, each with many photons and with few.
  private func still(_ order: AngleOrder) -> WindowsBed {
    let seed = options.seed, thetas = thetas(options.angles, order)
    let samples: [(KnownSlice.Kind, UInt64)] = [
      (.foam, seed), (.foam, seed + 1), (.foam, seed + 2), (.sheppLogan, seed), (.cracks, seed), (.cracks, seed + 1),
      (.smooth, seed), (.rock, seed),
    ]
    let known = samples.map { KnownSlice($0, columns: options.columns, thetas: thetas, seed: $1) }
    let lines = (0..<Self.slices).map { known[$0 / 2].measured(noise($0), seed: seed, number: $0).lines }
    let truth = (0..<Self.slices).map { known[$0 / 2].truth }
    return WindowsBed(
      lines: lines, truths: Array(repeating: truth, count: WindowsBed.moments), thetas: thetas,
      projectionsPerHalfTurn: options.angles, nonNegative: options.nonNegative)
  }

  /// A foam through three half turns, with different noises.
  private func moving(_ motion: MovingFoam.Motion, _ order: AngleOrder) -> WindowsBed {
    let turn = thetas(options.angles / 2, order), thetas = (0..<Self.turns).flatMap { _ in turn }
    let foam = MovingFoam(motion, columns: options.columns, seed: options.seed), known = foam.scan(thetas: thetas)
    let lines = (0..<Self.slices).map { known.measured(noise($0), seed: options.seed, number: $0).lines }
    let truths = (1...WindowsBed.moments).map {
      Array(repeating: foam.truth(at: Double($0) / Double(WindowsBed.moments)), count: Self.slices)
    }
    return WindowsBed(
      lines: lines, truths: truths, thetas: thetas, projectionsPerHalfTurn: turn.count,
      nonNegative: options.nonNegative)
  }

  private func noise(_ slice: Int) -> KnownSlice.Noise {
    .photons(slice % 2 == 0 ? options.photons : options.photons / Self.photonsRatio)
  }

  private func thetas(_ count: Int, _ order: AngleOrder) -> [Double] {
    let even = (0..<count).map { .pi * Double($0) / Double(count) }
    return order.visits(thetas: even).map { even[$0] }
  }

  private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
}
