import ArgumentParser
import Dashboard
import Glibc
import Host
import Run
import RunModel
import ScanPlan
import Variables

/// What every command has that runs the pipeline: whether it may replace a result, and how it tells of it.
struct RunOptions: ParsableArguments {
  @Flag(help: .overwrite) var overwrite = false
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false
  @OptionGroup var dashboardOptions: DashboardOptions
  @OptionGroup var variableOptions: VariableOptions

  /// Runs the pipeline from beginning to end.
  func reconstruct(_ scan: ScanDescription) throws {
    if let interval = scan.volumeEvery { return try makeSeries(scan, interval) }
    var scan = scan
    // A page or a picture is for looking at the volume while the scan runs.
    if dashboardOptions.dashboard != nil || variableOptions.epics != nil { scan.watch() }
    try supervise { [scan] signals, monitor in
      try Reconstruction(scan, command: CommandLine.arguments, signals: signals, overwrites: overwrite)
        .run(executable: Console.executable, monitor: monitor, notice: notice)
    }
  }

  /// Runs it once for each volume of a series, or goes on with that.
  func makeSeries(_ scan: ScanDescription, _ interval: VolumeInterval) throws {
    guard dashboardOptions.dashboard == nil || scan.isLive, variableOptions.epics == nil, !overwrite else {
      throw ScanFailure(
        .usage,
        "--volume-every goes with neither --epics nor --overwrite, nor with --dashboard for a file: it runs once for "
          + "each volume, and goes on with a series that was begun")
    }
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let progress = ProgressLine(isQuiet: quiet)
    defer { progress.end() }
    let series = try Series(scan: scan, interval: interval, signals: signals, executable: Console.executable) {
      try dashboardOptions.open(notice: notice)
    }
    let result =
      try series
      .run(command: CommandLine.arguments, monitor: progress) { progress.notice($0) }
    progress.end()
    if json {
      try Console.json(result)
    } else if !quiet {
      let files = result.outputs.isEmpty ? scan.outputFolder : result.outputs.joined(separator: ", ")
      let count = result.volumes.count { $0.failure == nil }
      Console.result("\(count) volume\(count == 1 ? "" : "s") in \(scan.outputFolder); look at \(files)")
    }
    if let failure = Series.failure(of: result) { throw failure }
  }

  /// Takes a run over whose supervisor is dead.
  func resume(_ folder: RunFolder) throws {
    try supervise { signals, monitor in
      try Reconstruction.resume(
        folder, overwrites: overwrite, executable: Console.executable, signals: signals, monitor: monitor,
        notice: notice)
    }
  }

  private func supervise(_ body: (SignalDescriptor, any RunMonitor) throws -> Reconstruction.ReconstructionOutcome)
    throws
  {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let dashboard = try dashboardOptions.open(notice: notice)
    let variables = try variableOptions.open()
    let watchers: [any RunMonitor] = (dashboard.map { [$0] } ?? []) + (variables.map { [$0] } ?? [])
    let progress = ProgressLine(isQuiet: quiet)
    defer { progress.end() }
    var failure: ScanFailure?
    do {
      let outcome = try body(signals, RunMonitors([progress] + watchers))
      progress.end()
      try report(outcome)
      for line in outcome.notices { for watcher in watchers { watcher.notice(line) } }
      variables?.finish(outcome.result)
      dashboard?.finish(outcome.result)
      failure = outcome.failure
    } catch {
      let reason = ScanFailure(error).description, isInterrupt = (error as? StageFailure)?.isInterrupt == true
      variables?.fail(reason, isAwaited: isInterrupt)
      // Who interrupts the program waits for its end.
      dashboard?.fail(reason, within: isInterrupt ? .milliseconds(100) : Dashboard.grace)
      throw error
    }
    if let failure { throw failure }
  }

  private func notice(_ text: String) { if !quiet { Console.notice(text) } }

  /// Prints what a run or its resumption came to.
  private func report(_ outcome: Reconstruction.ReconstructionOutcome) throws {
    if !quiet {
      if let fit = outcome.result.fit { Console.notice(fit.words) }
      for line in outcome.notices { Console.notice(line) }
    }
    if json {
      try Console.json(outcome.result)
    } else if !quiet {
      Console.result(Self.summary(outcome.result))
      Console.result(Self.memory(outcome.result.memory))
    }
  }

  /// One line about what the workers took.
  static func memory(_ memory: [String: WorkerMemory]) -> String {
    let workers = memory.sorted { $0.key < $1.key }.map { name, memory in
      "\(name) \(memory.peakBytes.map(bytes) ?? "unknown") of \(bytes(memory.estimateBytes)) expected"
    }
    return "memory at its peak: " + workers.joined(separator: ", ")
  }

  /// One line about what was done.
  static func summary(_ result: RunResult) -> String {
    let seconds = ProgressLine.oneDecimal(result.seconds)
    let files = result.outputs.last.map { "\(counted(result.outputs.count, "file")), the last is \($0)" } ?? "no files"
    let (projections, updates) = (counted(result.projections, "projection"), counted(result.updates, "update"))
    return "\(projections), \(updates) in \(seconds) s; \(files)"
  }
}

extension ArgumentHelp {
  /// Of whatever writes into an output folder.
  static let overwrite: ArgumentHelp =
    "Remove the result of another run that is in the output folder, those files that outputs.json there lists."

  /// The words of a key of the scan file, which the option of the same name sets.
  static func key(_ name: String, _ valueName: String? = nil) -> ArgumentHelp {
    ArgumentHelp(stringLiteral: ScanKey.help(name)).valued(valueName)
  }

  private func valued(_ name: String?) -> ArgumentHelp {
    var help = self
    help.valueName = name
    return help
  }
}
