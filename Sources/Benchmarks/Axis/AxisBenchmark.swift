internal import Host
import ScanPlan
import Simulation
internal import Tomography

/// Looks for the axis of scans drawn at random, and tells how far off it is found and whether its error says so.
package struct AxisBenchmark {
  /// What to measure.
  package struct Options: Sendable {
    /// Scans.
    package var scans = 100
    /// The first one's number: campaigns can be made in pieces.
    package var first = 0
    /// The widest detector; 64 columns are the narrowest.
    package var columnsMax = 512
    /// Of all scans.
    package var seed: UInt64 = 1

    /// A hundred.
    package init() {}
  }

  private let options: Options
  private let interrupt: () throws -> Void

  /// `interrupt` is called between scans and may throw to end the measurement. Throws `ScanFailure` (usage) for what
  /// cannot be measured.
  package init(_ options: Options, interrupt: @escaping () throws -> Void = {}) throws {
    guard (1...100_000).contains(options.scans), (0...1_000_000).contains(options.first) else {
      throw ScanFailure(.usage, "--scans \(options.scans) --first \(options.first): 1 to 100000 scans can be measured")
    }
    guard (64...4096).contains(options.columnsMax) else {
      throw ScanFailure(.usage, "--columns-max \(options.columnsMax) is not between 64 and 4096")
    }
    (self.options, self.interrupt) = (options, interrupt)
  }

  /// Measures everything; `told` hears of each scan.
  package func run(told: (AxisReport.Scan) -> Void = { _ in }) throws -> AxisReport {
    var report = AxisReport(
      build: buildName, processor: Machine.processorName, seed: options.seed, columnsMax: options.columnsMax, scans: [])
    for number in options.first..<options.first + options.scans {
      try interrupt()
      report.scans.append(measure(number))
      told(report.scans[report.scans.count - 1])
    }
    return report
  }

  private func measure(_ number: Int) -> AxisReport.Scan {
    let scan = AxisScan(seed: options.seed, number: number, columnsMax: options.columnsMax)
    var found: RotationAxisEstimate?, reason: String?
    let seconds = processorSeconds {
      do throws(RotationAxisError) {
        found = try scan.lines.withUnsafeBufferPointer { lines throws(RotationAxisError) in
          try estimateRotationAxis(sinogram: lines, angles: scan.thetas, columns: scan.columns)
        }
      } catch { reason = error.description }
    }
    return AxisReport.Scan(
      number: number, columns: scan.columns, projections: scan.thetas.count, span: scan.span, order: scan.order,
      photons: scan.photons, isTruncated: scan.isTruncated, rotationAxis: scan.rotationAxis, found: found?.axis,
      error: found?.error, isSure: found?.isSure ?? false, reason: reason, seconds: seconds)
  }
}
