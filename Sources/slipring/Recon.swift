public import ArgumentParser
import Glibc
import Host
public import Scan
public import Tomography

/// From a scan file to a volume.
struct Recon: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reconstructs a scan file (DXchange or NXtomo) through the whole pipeline.",
    discussion: """
      Windowed updates run while projections come in; the final iterations over all projections follow. \
      --window-step 0 --final-iterations 100 is plain SIRT with 100 iterations.
      """)

  @Argument(help: "The scan file.") var input: String
  @Option(help: "Folder of the reconstructed slices.") var outputFolder: String
  @Option(help: "Folder of everything else that belongs to the run. (default: run-<id> in the output folder)") var runFolder: String?

  @Option(
    name: [.customLong("rotation-axis"), .customLong("center")],
    help: ArgumentHelp("Rotation axis in pixels from the detector's left edge, or auto.", valueName: "px|auto"))
  var rotationAxis: RotationAxis = .automatic
  @Option(help: "First detector row.") var startRow: Int?
  @Option(help: "The row after the last.") var endRow: Int?
  @Option(help: "A single row by its relative height: 0 top, 1 bottom.") var nsino: Double?
  @Option(help: "Bin squares of 2^K pixels.") var binning = 0

  @Option(help: "Reconstruction method.") var algorithm: Algorithm = .sirt
  @Option(help: "Projections of a window.") var windowLength = 24
  @Option(help: "Projections between updates; 0 makes none while the scan runs.") var windowStep = 1
  @Option(help: "Iterations of an update.") var windowIter = 1
  @Option(help: "Iterations over all projections after the scan.") var finalIterations = 20
  @Option(help: "Ordered subsets of each final iteration. (default: 8 with osem, else 1)") var finalSubsets: Int?
  @Option(help: "Ordered subsets of each iteration of an update. (default: 4 with osem, else 1)") var windowSubsets: Int?
  @Option(help: "What the final iterations start from; zero: what the windows made.") var initial: InitialVolume = .zero
  @Option(
    help: ArgumentHelp(
      "Strength of a pml penalty, and for pml-hybrid the difference that is an edge. (default: 100,0.001)", valueName: "β|β,δ"))
  var reg: Regularisation?
  @Option(help: "Window on the ramp filter of fbp. (default: ramp, which is none)") var filter: FBPOptions.Filter?
  @Option(help: "Relaxation of sirt, between 0 and 2.") var relaxation = 1.0
  @Flag(help: "Set negative voxels to zero after every update (sirt).") var nonNegative = false
  @Flag(help: "Keep voxels outside the inscribed disk at zero.") var diskMask = false

  @Option(help: "Reconstruction processes. (default: one a NUMA node)") var workers: Int?
  @Option(help: "Threads of each. (default: one a core)") var threads: Int?
  @Option(help: ArgumentHelp("Projections a second at most.", valueName: "p/s")) var rate: Double?
  @Option(
    help: """
      Make updates less often while a worker is this many projections behind; 0: never. \
      (default: twice the window with --rate, otherwise 0)
      """) var lagMax: Int?

  @Option(help: "What is written.") var format: OutputFormat = .both
  @Option(help: "Bits of a TIFF sample; 8 and 16 cover the volume's range.") var bits: SampleBits = .thirtyTwo
  @Option(help: "Whether the data are counts; auto: where there are flat fields.") var minusLog: MinusLog = .auto
  @Option(help: "Unit of the angles in the file.") var thetaUnit: AngleUnit = .auto
  @Option(help: "durable: every event is on disk before it is used, and resume survives the machine; memory: only stages may die.")
  var durability: Durability = .durable
  @Option(help: ArgumentHelp("Save the volume after so many updates, or seconds as in 30s; 0 for never.", valueName: "n|seconds"))
  var checkpointEvery: CheckpointEvery = .standard
  @Option(
    help: ArgumentHelp(
      "How long the run folder stays after success: keep; none, once the output was read back; or days, after which a later run beside it removes it.",
      valueName: "keep|none|days"))
  var retain: Retention = .keep

  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let progress = ProgressLine(isQuiet: quiet)
    let reconstruction = Reconstruction(description, command: CommandLine.arguments, signals: signals)
    defer { progress.end() }
    let outcome = try reconstruction.run(executable: Console.executable, monitor: progress) { if !quiet { Console.notice($0) } }
    progress.end()
    try Self.report(outcome, json: json, quiet: quiet)
  }

  /// Prints what a run or its resumption came to.
  static func report(_ outcome: Reconstruction.Outcome, json: Bool, quiet: Bool) throws {
    if !quiet { for line in outcome.notices { Console.notice(line) } }
    if json {
      try Console.json(outcome.result)
    } else if !quiet {
      Console.result(summary(outcome.result))
    }
  }

  /// One line about what was done.
  static func summary(_ result: RunResult) -> String {
    let seconds = ProgressLine.oneDecimal(result.seconds)
    let files = result.outputs.last.map { "\(result.outputs.count) files, the last is \($0)" } ?? "no files"
    return "\(result.projections) projections, \(result.updates) updates in \(seconds) s; \(files)"
  }

  private var description: ScanDescription {
    var scan = ScanDescription(input: input, outputFolder: outputFolder)
    scan.runFolder = runFolder
    scan.rotationAxis = rotationAxis
    (scan.startRow, scan.endRow, scan.nsino, scan.binning) = (startRow, endRow, nsino, binning)
    scan.algorithm = algorithm
    (scan.windowLength, scan.windowStep, scan.windowIter) = (windowLength, windowStep, windowIter)
    (scan.finalIterations, scan.finalSubsets, scan.windowSubsets) = (finalIterations, finalSubsets, windowSubsets)
    (scan.initial, scan.regularisation, scan.filter) = (initial, reg, filter)
    (scan.relaxation, scan.nonNegative, scan.diskMask) = (relaxation, nonNegative, diskMask)
    (scan.workers, scan.threads, scan.rate, scan.lagMax) = (workers, threads, rate, lagMax)
    (scan.durability, scan.checkpointEvery) = (durability, checkpointEvery)
    (scan.format, scan.bits, scan.minusLog, scan.thetaUnit, scan.retain) = (format, bits, minusLog, thetaUnit, retain)
    return scan
  }
}

extension RotationAxis: ExpressibleByArgument {
  /// From a number or `auto`.
  public init?(argument: String) { self.init(argument) }
  /// For the help.
  public var defaultValueDescription: String { "auto" }
}

extension CheckpointEvery: ExpressibleByArgument {
  /// From a number of updates or seconds.
  public init?(argument: String) { self.init(argument) }
  /// For the help.
  public var defaultValueDescription: String { text }
}

extension Regularisation: ExpressibleByArgument {
  /// From β or β,δ.
  public init?(argument: String) { self.init(argument) }
  /// For the help.
  public var defaultValueDescription: String { text }
}

extension Algorithm: ExpressibleByArgument {}
extension InitialVolume: ExpressibleByArgument {}
extension FBPOptions.Filter: ExpressibleByArgument {}
extension Durability: ExpressibleByArgument {}
extension OutputFormat: ExpressibleByArgument {}
extension SampleBits: ExpressibleByArgument {}
extension MinusLog: ExpressibleByArgument {}
extension AngleUnit: ExpressibleByArgument {}

extension Retention: ExpressibleByArgument {
  /// From keep, none or a number of days.
  public init?(argument: String) { self.init(argument) }
  /// For the help.
  public var defaultValueDescription: String { text }
}
