import ArgumentParser
import Benchmarks
import Glibc
import Host
import Run
import ScanPlan

/// The projector and the solvers' updates, without the pipeline around them.
struct BenchKernel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernel",
    abstract: "Measures forward and back projection and a complete update, beside the processor's ceilings.",
    discussion: """
      GUPS are angles × rows × columns², twice for a pair, over nanoseconds. Multiply–add ceiling, \
      load ceiling and memory bandwidth are measured in turn with the kernels; best and median of all rounds are told, \
      and the best by processor time, which is of one core.
      """)

  @Option(help: ArgumentHelp("Projections, detector rows and columns.", valueName: "a,r,n")) var shape = "180,64,1024"
  @Option(
    help: ArgumentHelp("Whose complete update is measured: \(measured).", valueName: "algorithm"),
    transform: { name in
      guard let algorithm = Algorithm(rawValue: name), KernelBenchmark.Options.algorithms.contains(algorithm) else {
        throw ValidationError("--algorithm \(name) is none of \(measured)")
      }
      return algorithm
    })
  var algorithm = Algorithm.sirt
  @Flag(help: "Leave out voxels outside the inscribed disk, in the update.") var diskMask = false
  @Option(help: "Threads, pinned to as many cores.") var threads = 1
  @Option(help: "Slices interleaved in a block: 2, 4 or a multiple of 16. (default: what suits the rows)") var lanes:
    Int?
  @Option(help: "x86-64 level of the instructions, 2 to 4. (default: the processor's)") var level: Int?
  @Option(help: "Seconds in which rounds are begun; at least three are measured.") var seconds = 10.0
  @Flag(help: "Print the report as one JSON object.") var json = false

  private static let measured = KernelBenchmark.Options.algorithms.map(\.rawValue).joined(separator: ", ")

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let report = try KernelBenchmark(options(), interrupt: { try signals.stopOnSignal() }).run()
    if json { return try Console.json(report) }
    for line in Self.lines(report) { Console.result(line) }
  }

  private func options() throws -> KernelBenchmark.Options {
    let numbers = shape.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 3, let angles = numbers[0], let rows = numbers[1], let columns = numbers[2] else {
      throw ScanFailure(.usage, "--shape \(shape) is not projections,rows,columns, as in 180,64,1024")
    }
    var options = KernelBenchmark.Options()
    (options.shape, options.diskMask) = ((angles, rows, columns), diskMask)
    (options.algorithm, options.threads, options.lanes, options.level, options.seconds) = (
      algorithm, threads, lanes, level, seconds
    )
    return options
  }

  private static func lines(_ report: KernelReport) -> [String] {
    let threads = counted(report.threads, "thread")
    var lines = [
      "\(report.processor), x86-64-v\(report.level), \(threads), \(report.lanes) lanes, \(report.build) build, "
        + "\(report.rounds) rounds",
      row("", "best", "median", "a core"),
    ]
    for (name, rate, core, unit) in [
      ("forward", report.forward, report.core.forward, "GUPS"), ("back", report.back, report.core.back, "GUPS"),
      ("pair", report.pair, report.core.pair, "GUPS"),
      ("fixed forward", report.fixedForward, report.core.fixedForward, "GUPS"),
      ("fixed back", report.fixedBack, report.core.fixedBack, "GUPS"),
      ("fixed pair", report.fixedPair, report.core.fixedPair, "GUPS"),
      ("\(report.algorithm) update", report.update, report.core.update, "GUPS"),
      ("multiply-adds", report.multiplyAddCeiling, report.core.multiplyAddCeiling, "GUPS"),
      ("loads", report.loadCeiling, report.core.loadCeiling, "GUPS"),
      ("memory", report.memoryBandwidth, nil, "GB/s"),
    ] as [(String, KernelReport.Rate, KernelReport.Rate?, String)] {
      let figures = [rate.best, rate.median, core?.best].map { $0.map(ProgressLine.oneDecimal) ?? "" }
      lines.append(row(name, figures[0], figures[1], figures[2]) + " " + unit)
    }
    let seconds = report.updateSeconds.best,
      projections = report.algorithm == Algorithm.fbp.rawValue ? "the backprojection" : "the pair"
    lines.append(
      "the pair reaches \(percent(report.fractionOfMultiplyAdds)) of the multiply-add ceiling and "
        + "\(percent(report.fractionOfLoads)) of the load ceiling; a complete update runs at "
        + "\(percent(report.updateToProjections)) of \(projections)")
    lines.append(
      "in fixed point it reaches \(percent(report.fixedFractionOfMultiplyAdds)) and "
        + "\(percent(report.fixedFractionOfLoads)), \(percent(report.fixedToFloat)) of the pair in float")
    lines.append(
      "a step of total variation takes the time of \(ProgressLine.oneDecimal(report.variationPairs)) angles' pairs in "
        + "float, of \(ProgressLine.oneDecimal(report.variationFixedPairs)) in fixed point")
    lines.append(
      "a complete update takes \(milliseconds(seconds)) ms, \(milliseconds(seconds / Double(report.rows))) ms a slice")
    return lines
  }

  private static func percent(_ fraction: Double) -> String { "\(Int((fraction * 100).rounded())) %" }

  private static func milliseconds(_ seconds: Double) -> String { ProgressLine.oneDecimal(seconds * 1000) }

  private static func row(_ name: String, _ best: String, _ median: String, _ core: String) -> String {
    name + String(repeating: " ", count: max(1, 18 - name.count))
      + [best, median, core].map { String(repeating: " ", count: max(1, 9 - $0.count)) + $0 }.joined()
  }
}
