import ArgumentParser
import Benchmarks
import Glibc
import Host
import Run

/// How well the rotation axis is found.
struct BenchAxis: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "axis",
    abstract: "Looks for the rotation axis of scans drawn at random, and tells how far off it is found.",
    discussion: """
      Spans of 150 to 400 degrees, 64 columns up, 20 projections up, in order, interleaved or golden, with and without \
      noise, samples that leave the detector, an axis in the middle or far off. Line integrals are exact. A scan is \
      right within 0.25 pixels; of those that are not, the error should say so.
      """)

  @Option(help: "Scans.") var scans = 100
  @Option(help: "The first one's number in the campaign.") var first = 0
  @Option(help: "Columns of the widest detector.") var columnsMax = 512
  @Option(help: "Seed of the campaign.") var seed: UInt64 = 1
  @Flag(help: "Print the report as one JSON object.") var json = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    var options = AxisBenchmark.Options()
    (options.scans, options.first, options.columnsMax, options.seed) = (scans, first, columnsMax, seed)
    let report = try AxisBenchmark(options, interrupt: { try signals.stopOnSignal() }).run { scan in
      if !json, !scan.isRight || !scan.isSure { Console.result(Self.line(scan)) }
    }
    if json { return try Console.json(report) }
    let wrong = report.scans.count - report.right, seconds = report.scans.map(\.seconds).sorted()
    Console.result(
      "\(report.right) of \(report.scans.count) within 0.25 px; of the \(wrong) others \(report.warned) are told; "
        + "\(report.doubted) that are right are doubted; \(Self.rounded(seconds[seconds.count / 2])) s of one thread "
        + "(median), \(Self.rounded(seconds[seconds.count - 1])) s at most (\(report.processor), \(report.build) build)"
    )
  }

  /// A scan that is wrong or in doubt.
  private static func line(_ scan: AxisReport.Scan) -> String {
    let told = scan.isSure ? "not told" : "told"
    let result =
      scan.off.map { "\(rounded($0)) px off, error \(rounded(scan.error ?? .infinity)), \(told)" }
      ?? scan.reason ?? "not found"
    return
      "scan \(scan.number): \(scan.columns) columns, \(scan.projections) projections of \(Int(scan.span)) degrees, "
      + "\(scan.order), \(scan.photons.map { "\(Int($0)) photons" } ?? "no noise")"
      + "\(scan.isTruncated ? ", leaves the detector" : ""), axis at \(rounded(scan.rotationAxis)): \(result)"
  }

  private static func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
