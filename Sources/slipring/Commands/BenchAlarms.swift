import ArgumentParser
import Benchmarks
import Foundation
import Host
import Run
import ScanPlan

/// How early triggers tell of faults, and how often they tell of none.
struct BenchAlarms: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alarms",
    abstract: "Measures how early the standard triggers tell of faults, and how often of none.",
    discussion: """
      Six faults of a modelled run, each with so many seeds: the seconds from the fault to the alarm, and how long \
      before the product's own rules that is (updates less often, a full disk buffer, a full disk; of a detector, a \
      beam and dead rows there are none before the scan's end). Then hours without a fault.
      """)

  @Option(help: "Runs of each fault.") var seeds = 20
  @Option(help: "The first seed.") var seed: UInt64 = 1
  @Option(help: "Hours without a fault.") var quiet = 8
  @Flag(help: "Print the report as one JSON object.") var json = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    guard (1...10_000).contains(seeds), (0...10_000).contains(quiet) else {
      throw ScanFailure(.usage, "--seeds and --quiet are from 1 and 0 to 10000")
    }
    var options = AlarmsBenchmark.Options()
    (options.seeds, options.seed, options.quietHours) = (seeds, seed, quiet)
    let report = try AlarmsBenchmark(options, interrupt: { try signals.stopOnSignal() }).run()
    if json { return try Console.json(report) }
    Console.result(Self.line("fault", ["runs", "missed", "early", "delay s", "at most", "lead s", "at least"]))
    for row in report.faults {
      Console.result(
        Self.line(
          row.fault.rawValue,
          ["\(row.runs)", "\(row.missed)", "\(row.early)", Self.digits(row.delay), Self.digits(row.delayMax)]
            + [row.lead, row.leadMin].map { $0.map(Self.digits) ?? "–" }))
    }
    let alarms = report.falseAlarms.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    Console.result(
      "\(report.quietHours) quiet hours: \(alarms.isEmpty ? "no alarm" : alarms.joined(separator: ", ")); "
        + "\(Self.digits(report.microsecondsOfLook)) µs a look with the model of the run (seed \(report.seed))")
  }

  private static func digits(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func line(_ name: String, _ cells: [String]) -> String {
    name.padding(toLength: 18, withPad: " ", startingAt: 0)
      + cells.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
  }
}
