internal import Glibc
package import Host
import KernelTypes
package import Run
package import ScanPlan
import Simulation
internal import Tomography

/// Measures the whole pipeline with all of its processes: a simulated scan is written to a file once, and then
/// reconstructed from it.
package final class StreamBenchmark {
  /// What is measured.
  package struct Options: Sendable {
    /// Projections, detector rows, columns.
    package var shape = (projections: 180, rows: 100, columns: 1024)
    /// What an update is.
    package var algorithm = Algorithm.sirt
    /// Whether voxels outside the inscribed disk take part.
    package var diskMask = false
    /// The updates while the scan runs; several are measured in turn, as fast as it goes.
    package var windows = [StreamWindows.sliding(length: 24, step: 1)]
    /// Iterations of an update.
    package var windowIterations = 1
    /// Whether events go to a journal on disk.
    package var durability = Durability.durable
    /// How often volumes are saved.
    package var checkpointEvery = CheckpointEvery.standard
    /// Reconstruction processes; nil for one a NUMA node.
    package var workers: Int?
    /// Threads of each; nil for one a core.
    package var threads: Int?
    /// Projections a second of the run that latencies come from; nil for half of what the pipeline reached.
    package var rate: Double?
    /// Durable runs in turn with runs in memory; 0 for no comparison.
    package var comparedPairs = 0
    /// Where scan, journals and output go, and are removed from.
    package var folder = "."

    /// The defaults.
    package init() {}
  }

  private let options: Options
  private let executable: String
  private let signals: SignalDescriptor
  private let monitor: any RunMonitor
  private let folder: TemporaryFolder
  private var runCount = 0

  /// `signals` holds SIGINT and SIGTERM and was made before any thread; `executable` knows the `stage` command;
  /// `monitor` hears how far each run is.
  ///
  /// Throws `.usage` for options without a meaning, `.cannotCreate` where the folder cannot be written.
  package init(_ options: Options, executable: String, signals: SignalDescriptor, monitor: any RunMonitor) throws {
    try Self.validate(options)
    self.options = options
    self.executable = executable
    self.signals = signals
    self.monitor = monitor
    folder = try TemporaryFolder(in: options.folder)
  }

  private var scanPath: String { folder.path + "/scan.h5" }

  /// Simulates the scan, and measures.
  package func run() throws -> StreamReport {
    monitor.notice(
      "simulating a scan of \(options.shape.projections) × \(options.shape.rows) × \(options.shape.columns)")
    try simulate()
    let schedule = options.windows[0].schedule(
      projections: options.shape.projections, iterations: options.windowIterations)
    var report = try StreamReport(
      build: buildName, processor: Machine.processorName, cores: Affinity.current().count,
      shape: [options.shape.projections, options.shape.rows, options.shape.columns],
      algorithm: options.algorithm.rawValue,
      diskMask: options.diskMask,
      windowLength: schedule.length, windowStep: schedule.step, windowIterations: options.windowIterations,
      checkpointEvery: options.checkpointEvery.text)
    if options.comparedPairs > 0 {
      report.comparison = try compare()
      return report
    }
    if options.windows.count > 1 {
      report.windows = try compareWindows()
      return report
    }
    monitor.notice("as fast as it goes")
    let saturated = try measure(options.durability, rate: nil)
    report.saturated = saturated
    if options.durability == .durable {
      let rate = options.rate ?? saturated.projectionsPerSecond / 2
      monitor.notice("at \((rate * 10).rounded() / 10) projections a second")
      report.paced = try measure(.durable, rate: rate)
    }
    return report
  }

  /// A run with each kind of windows, and how near its updates come to what the machine can do.
  private func compareWindows() throws -> [StreamReport.Windows] {
    let meter = try CeilingMeter(threads: Affinity.current().count), before = meter.measure()
    let runs = try options.windows.map { windows in
      monitor.notice("windows \(windows.text)")
      return (windows, try measure(options.durability, rate: nil, windows))
    }
    let after = meter.measure(), ceiling = max(before.updates, after.updates), memory = max(before.bytes, after.bytes)
    let (projections, rows, columns) = options.shape
    return runs.map { windows, run in
      let work = windows.work(projections: projections, iterations: options.windowIterations)
      let voxels = Double(rows) * Double(columns * columns) / run.seconds
      return StreamReport.Windows(
        windows: windows.text, run: run, workerSeconds: run.workerSeconds / Double(run.projections),
        gigaupdates: 2 * Double(work.angles) * voxels / 1e9,
        fractionOfMultiplyAdds: 2 * Double(work.angles) * voxels / ceiling,
        fractionOfMemory: work.bytesPerVoxel * voxels / memory)
    }
  }

  /// Every second pair begins with the run in memory, so that a drift of the machine costs neither.
  private func compare() throws -> StreamReport.Comparison {
    let pairs = try (0..<options.comparedPairs).map { index in
      monitor.notice("pair \(index + 1) of \(options.comparedPairs)")
      if index % 2 == 0 {
        let durable = try measure(.durable, rate: nil)
        return StreamReport.Pair(durable: durable, memory: try measure(.memory, rate: nil))
      }
      let memory = try measure(.memory, rate: nil)
      return StreamReport.Pair(durable: try measure(.durable, rate: nil), memory: memory)
    }
    let costs = pairs.map(\.cost).sorted()
    return StreamReport.Comparison(
      pairs: pairs, cost: median(costs), costRange: [costs[0], costs[costs.count - 1]],
      cpuCost: median(pairs.map(\.cpuCost)))
  }

  /// One run, whose files go afterwards.
  private func measure(
    _ durability: Durability, rate: Double?, _ windows: StreamWindows? = nil
  ) throws -> StreamReport.Run {
    runCount += 1
    let name = "run-\(runCount)"
    let runFolder = RunFolder(path: "\(folder.path)/\(name)")
    var scan = ScanDescription(input: scanPath, outputFolder: runFolder.path + "/output")
    scan.runFolder = runFolder.path
    (scan.algorithm, scan.diskMask) = (options.algorithm, options.diskMask ? .yes : .auto)
    scan.rotationAxis = .pixels(Double(options.shape.columns) / 2)
    switch windows ?? options.windows[0] {
    case .sliding(let length, let step): (scan.windowLength, scan.windowStep) = (length, step)
    case .spread: (scan.algorithm, scan.windowSpread) = (.auto, StreamWindows.spreadCount)
    }
    scan.windowIter = options.windowIterations
    // Every update is made: what is measured is not how well a run avoids them.
    (scan.finalIterations, scan.format, scan.rate, scan.lagMax) = (0, .hdf5, rate, 0)
    (scan.workers, scan.threads) = (options.workers, options.threads)
    (scan.durability, scan.checkpointEvery) = (durability, options.checkpointEvery)
    let before = processUsage().cpuSeconds
    let outcome = try Reconstruction(scan, command: CommandLine.arguments, signals: signals)
      .run(executable: executable, monitor: monitor, notice: monitor.notice)
    let supervisor = processUsage().cpuSeconds - before
    guard !outcome.isInterrupted else { throw StageFailure(signal: SIGINT) }
    if let failure = outcome.failure { throw failure }
    let figures = try StreamFigures(runFolder, durability: durability).run(
      outcome.result, rate: rate, supervisor: supervisor)
    try folder.remove(name)
    return figures
  }

  private func simulate() throws {
    let (projections, rows, columns) = options.shape
    let simulation = Simulation(
      sample: .phantom(SheppLogan()), rows: rows, columns: columns,
      thetas: Simulation.evenThetas(count: projections, range: 180),
      rotationAxis: Double(columns) / 2, signal: .counts(photons: 20_000, darkLevel: 100, flats: 10, darks: 10, seed: 1)
    )
    try Simulator(simulation).write(to: scanPath) { _ in try signals.stopOnSignal() }
  }

  private static func validate(_ options: Options) throws(ScanFailure) {
    let (projections, rows, columns) = options.shape
    guard (1...100_000).contains(projections), (1...65_536).contains(rows),
      (8...SliceLayout.columnsMax).contains(columns)
    else {
      throw ScanFailure(
        .usage,
        "--shape \(projections),\(rows),\(columns) is outside 1…100000 projections, 1…65536 rows, "
          + "8…\(SliceLayout.columnsMax) columns"
      )
    }
    guard !options.windows.isEmpty else { throw ScanFailure(.usage, "without windows there is nothing to measure") }
    for case .sliding(let length, let step) in options.windows {
      guard step > 0 else {
        throw ScanFailure(.usage, "--window-step 0 makes no updates: there is nothing to measure")
      }
      guard step <= length else {
        throw ScanFailure(.usage, "--window-step \(step) leaves projections between windows of \(length) out")
      }
    }
    guard options.comparedPairs == 0 || options.windows.count == 1 else {
      throw ScanFailure(.usage, "--compare takes windows of one kind")
    }
    guard (0...100).contains(options.comparedPairs) else {
      throw ScanFailure(.usage, "--pairs \(options.comparedPairs) is outside 1…100")
    }
    if let rate = options.rate, !(rate > 0 && rate.isFinite) {
      throw ScanFailure(.usage, "--rate \(rate) is not above 0")
    }
  }
}
