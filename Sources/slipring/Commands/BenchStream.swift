import ArgumentParser
import Benchmarks
import Glibc
import Host
import ScanPlan

/// The whole pipeline.
struct BenchStream: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stream",
    abstract: "Measures the whole pipeline with all its processes, from a simulated scan as fast as it goes.",
    discussion: """
      A second run at half of the rate that was reached gives the latency from acquisition to updated volume without a \
      queue. --compare runs with journal and checkpoints in turn with runs without. Everything that is written is \
      removed.
      """)

  @Option(help: ArgumentHelp("Projections, detector rows and columns.", valueName: "a,r,n")) var shape = "180,100,1024"
  @Option(help: "What an update is.") var algorithm: Algorithm = .sirt
  @Flag(help: "Leave out voxels outside the inscribed disk.") var diskMask = false
  @Option(help: ArgumentHelp("Projections of a window; several, with commas, are measured in turn.", valueName: "l,l"))
  var windowLength = "24"
  @Option(help: ArgumentHelp("Projections between updates, likewise with each length.", valueName: "s,s"))
  var windowStep = "1"
  @Flag(help: "Measure auto's windows as well: the newest projection and two spread in angle, smoothed now and then.")
  var spread = false
  @Option(help: "Iterations of an update.") var windowIter = 1
  @Option(help: "Whether events go to a journal on disk.") var durability: Durability = .durable
  @Option(
    help: ArgumentHelp(
      "Save the volume after so many updates, or seconds as in 30s; 0 for never.", valueName: "n|seconds"))
  var checkpointEvery: CheckpointEvery = .standard
  @Option(help: "Reconstruction processes. (default: one a NUMA node)") var workers: Int?
  @Option(help: "Threads of each. (default: one a core)") var threads: Int?
  @Option(
    help: ArgumentHelp(
      "Projections a second of the run for latencies. (default: half of what was reached)", valueName: "p/s"))
  var rate: Double?
  @Flag(help: "Compare runs with journal and checkpoints to runs without.") var compare = false
  @Option(help: "Pairs of such runs.") var pairs = 5
  @Option(help: "Folder of scan, journals and output.") var folder = "."
  @Flag(help: "Print the report as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let progress = ProgressLine(isQuiet: quiet)
    defer { progress.end() }
    let benchmark = try StreamBenchmark(options(), executable: Console.executable, signals: signals, monitor: progress)
    let report = try benchmark.run()
    progress.end()
    if json { return try Console.json(report) }
    for line in Self.lines(report) { Console.result(line) }
  }

  private func options() throws -> StreamBenchmark.Options {
    var options = StreamBenchmark.Options()
    let numbers = shape.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 3, let projections = numbers[0], let rows = numbers[1], let columns = numbers[2] else {
      throw ScanFailure(.usage, "--shape \(shape) is not projections,rows,columns, as in 180,100,1024")
    }
    if compare, pairs < 1 { throw ScanFailure(.usage, "--pairs \(pairs) is outside 1…100") }
    options.shape = (projections, rows, columns)
    (options.algorithm, options.diskMask) = (algorithm, diskMask)
    let (lengths, steps) = (
      try Self.numbers(windowLength, "--window-length"), try Self.numbers(windowStep, "--window-step")
    )
    // A list may have steps that are too long for some of its windows.
    let windows = lengths.flatMap { length in steps.map { (length, $0) } }
      .filter { length, step in step <= length || lengths.count * steps.count == 1 }
    options.windows = windows.map { .sliding(length: $0, step: $1) } + (spread ? [.spread] : [])
    options.windowIterations = windowIter
    (options.durability, options.checkpointEvery) = (durability, checkpointEvery)
    (options.workers, options.threads, options.rate) = (workers, threads, rate)
    (options.comparedPairs, options.folder) = (compare ? pairs : 0, folder)
    return options
  }

  private static func numbers(_ text: String, _ option: String) throws -> [Int] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let number = Int(word), (0...100_000).contains(number) else {
        throw ScanFailure(.usage, "\(option) \(text) is not a number from 0 to 100000, nor several with commas")
      }
      return number
    }
  }

  private static func lines(_ report: StreamReport) -> [String] {
    let iterations = counted(report.windowIterations, "iteration")
    let window = "window \(report.windowLength), step \(report.windowStep), \(iterations)"
    let shape = report.shape
    var lines = [
      "\(report.processor), \(counted(report.cores, "core")), \(report.build) build; "
        + "\(report.algorithm) of \(shape[0]) × \(shape[1]) × \(shape[2]), \(window)"
    ]
    if let windows = report.windows { lines += table(windows) }
    if let run = report.saturated { lines += ["as fast as it goes:"] + figures(run) }
    if let run = report.paced, let rate = run.rateLimit {
      lines += ["at \(ProgressLine.oneDecimal(rate)) projections/s:"] + figures(run)
    }
    if let comparison = report.comparison {
      for pair in comparison.pairs {
        lines.append(
          "\(number(pair.durable.updatesPerSecond)) updates/s durable, "
            + "\(number(pair.memory.updatesPerSecond)) in memory"
        )
      }
      let range = comparison.costRange.map(percent).joined(separator: " … ")
      lines.append(
        "journal and checkpoints cost \(percent(comparison.cost)) of the updates' rate (pairs: \(range)), "
          + "\(percent(comparison.cpuCost)) more processor time")
    }
    return lines
  }

  /// Beside each other, and how many times less processor time each takes than the one that takes most.
  private static func table(_ windows: [StreamReport.Windows]) -> [String] {
    func row(_ cells: [String]) -> String {
      cells.map { String(repeating: " ", count: max(1, 15 - $0.count)) + $0 }.joined()
    }
    let most = windows.map(\.workerSeconds).max() ?? 0
    return [
      row(["windows", "projections/s", "updates/s", "worker ms each", "times less", "GUPS", "multiply-adds", "memory"])
    ]
      + windows.map {
        row([
          $0.windows, number($0.run.projectionsPerSecond), number($0.run.updatesPerSecond),
          number(1000 * $0.workerSeconds), number(most / $0.workerSeconds), number($0.gigaupdates),
          percent($0.fractionOfMultiplyAdds), percent($0.fractionOfMemory),
        ])
      }
  }

  private static func figures(_ run: StreamReport.Run) -> [String] {
    var lines = [
      "  \(number(run.projectionsPerSecond)) projections/s, \(number(run.updatesPerSecond)) updates/s in "
        + "\(number(run.seconds)) s; export \(number(run.exportSeconds)) s; "
        + "journal \(number(run.journalMegabytesPerSecond)) MB/s"
    ]
    if let update = run.update, let latency = run.latency, let share = run.updateShare {
      lines.append(
        "  an update takes p50 \(milli(update.p50)) ms, p99 \(milli(update.p99)) ms, \(percent(share)) of the time; "
          + "acquisition to updated volume p50 \(milli(latency.p50)) ms, p99 \(milli(latency.p99)) ms")
    }
    let stages = run.cpuSeconds.sorted { $0.key < $1.key }.map { "\($0.key) \(number($0.value)) s" }
    lines.append("  processor time: " + stages.joined(separator: ", "))
    lines.append("  " + RunOptions.memory(run.memory))
    return lines
  }

  private static func milli(_ nanoseconds: UInt64) -> String { number(Double(nanoseconds) / 1e6) }

  private static func percent(_ ratio: Double) -> String { "\(number(ratio * 100)) %" }

  /// With two decimals.
  private static func number(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    let hundredths = Int((value * 100).rounded())
    let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
    return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }
}
