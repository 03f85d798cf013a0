import ArgumentParser
import Benchmarks
import Foundation
import Glibc
import Host
import Run
import ScanPlan
import Tomography

/// How good the volume is while a scan runs.
struct BenchWindows: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "windows",
    abstract: "Measures how good the volume of a running scan is with auto's windows and with the published ones.",
    discussion: """
      PSNR at a quarter, half, three quarters and the end of scans in four orders: of 16 still slices (three foams, a \
      head, two cracked disks, a smooth one and rock, each with --photons and with a sixth of them), and of a foam \
      that drifts and one with a pore that grows, through three half turns of half the angles. `worst` and `gain` are \
      the smallest and the mean difference from the published windows in any slice at any of these moments. Work and \
      smoothing are in percent of the published windows' projections and processor time.
      """)

  @Option(help: "Columns of the detector, and both edges of a slice.") var size = 128
  @Option(help: "Projections of a half turn.") var angles = 180
  @Option(help: "Photons a pixel without a sample; half of the slices have a sixth.") var photons = 12_000.0
  @Option(help: "Seed of samples and noise.") var seed: UInt64 = 101
  @Flag(help: "Cut volumes at zero.") var nonNegative = false
  @Flag(help: "Measure still samples alone.") var still = false
  @Option(
    name: .customLong("windows"),
    help: ArgumentHelp(
      """
      Other spread windows beside auto's: newest projections, drawn ones, projections between updates, λ, what the \
      newest count for, updates between two smoothings and steps of one, as in 1,2,1,1,0.5,6,2. Can be given several \
      times.
      """, valueName: "n,n,n,x,x,n,n"))
  var others: [String] = []
  @Flag(help: "Measure auto's windows without smoothing, and as two updates one after the other, as well.")
  var variants = false
  @Flag(help: "Print the report as one JSON object.") var json = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    var options = WindowsBenchmark.Options()
    (options.columns, options.angles, options.photons, options.seed) = (size, angles, photons, seed)
    (options.nonNegative, options.moves) = (nonNegative, !still)
    if variants {
      options.policies += [
        .spread(newest: 1, drawn: 2, smoothing: nil), .inTurn(newest: 1, drawn: 2),
        .inTurn(newest: 1, drawn: 2, smoothing: nil),
      ]
    }
    options.policies += try others.map(Self.policy)
    let report = try WindowsBenchmark(options, interrupt: { try signals.stopOnSignal() }).run { table in
      if !json { for line in Self.lines(table) { Console.result(line) } }
    }
    if json { try Console.json(report) }
  }

  private static func policy(_ text: String) throws -> WindowPolicy {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? .nan }
    let counts = [0, 1, 2, 5, 6].compactMap { numbers.indices.contains($0) ? Int(exactly: numbers[$0]) : nil }
    guard numbers.count == 7, counts.count == 5, counts.allSatisfy((1...24).contains), counts[4] <= 8,
      numbers[3] > 0, numbers[3] < 2, numbers[4] > 0, numbers[4] < 1
    else {
      throw ScanFailure(
        .usage,
        "--windows \(text) is not newest, drawn and step from 1 to 24, λ below 2, a part below 1, updates from 1 to 24 "
          + "and steps from 1 to 8, as in 1,2,1,1,0.5,6,2")
    }
    return .spread(
      newest: counts[0], drawn: counts[1], step: counts[2], relaxation: numbers[3], newestPart: Float(numbers[4]),
      smoothing: WindowSmoothing.Schedule(updates: counts[3], innerSteps: counts[4]), name: text)
  }

  private static func lines(_ table: WindowsReport.Table) -> [String] {
    let base = table.rows[0]
    return ["\(table.sample), \(table.order)"]
      + [line("", ["work %", "smooth %", "25", "50", "75", "100 %", "worst", "gain"])]
      + table.rows.map { row in
        let work = 100 * Double(row.projections) / Double(base.projections)
        let smoothing = 100 * row.smoothing / base.updating
        return line(
          row.windows,
          [digits(work, 1), digits(smoothing, 1)] + row.psnr.map { digits($0, 2) }
            + [digits(row.worst, 2), digits(row.gain, 2)])
      }
  }

  private static func digits(_ value: Double, _ count: Int) -> String { String(format: "%.\(count)f", value) }

  private static func line(_ name: String, _ cells: [String]) -> String {
    name.padding(toLength: 30, withPad: " ", startingAt: 0)
      + cells.map { String(repeating: " ", count: max(1, 9 - $0.count)) + $0 }.joined()
  }
}
