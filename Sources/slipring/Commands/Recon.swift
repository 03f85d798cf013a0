import ArgumentParser
import Host
package import ScanFiles
package import ScanPlan
package import Tomography

/// From a scan file to a volume.
struct Recon: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reconstructs a scan (DXchange, NXtomo, TIFF), or what a detector sends, through the whole pipeline.",
    discussion: """
      Windowed updates run while projections come in; the final iterations over all projections follow. \
      --algorithm sirt --window-step 0 --final-iterations 100 is plain SIRT with 100 iterations. \
      TIFF files are named by a folder or a pattern in quotes: recon 'scan/proj_*.tif' --flats 'scan/flat_*.tif'. \
      An input of zmq+pull://HOST:PORT or zmq+sub://HOST:PORT is a detector that sends there (array-1.0 or DECTRIS \
      stream 1), pva://NAME a process variable of EPICS that holds an NTNDArray, \
      watch:FOLDER a folder in which TIFF files appear, watch:FILE.h5 a file that is being written, \
      nats://HOST:PORT/RUN a run with --fabric on another machine, of which this one takes some rows.
      """)

  @Argument(help: .key("input"), completion: .file()) var input: String
  @Option(help: .key("output-folder"), completion: .directory) var outputFolder: String
  @Option(help: .key("run-folder"), completion: .directory) var runFolder: String?

  @Option(
    name: [.customLong("rotation-axis"), .customLong("center")], help: .key("rotation-axis", "px|auto|last|from:run"),
    transform: RotationAxis.init(option:))
  var rotationAxis = standard.rotationAxis
  // What begins with a minus is a number here.
  @Option(parsing: .unconditional, help: .key("axis-tilt", "degrees|auto")) var axisTilt = standard.axisTilt
  @Option(help: .key("field-of-view")) var fieldOfView = standard.fieldOfView
  @Option(help: .key("start-row")) var startRow: Int?
  @Option(help: .key("end-row")) var endRow: Int?
  @Option(help: .key("nsino")) var nsino: Double?
  @Option(help: .key("binning")) var binning = standard.binning
  @OptionGroup var series: SeriesOptions

  @OptionGroup(title: "Scan file") var selection: SelectionOptions
  @OptionGroup(title: "Live source") var source: SourceOptions

  @Option(help: .key("algorithm")) var algorithm = standard.algorithm
  @Option(help: .key("final")) var final: Algorithm?
  @OptionGroup var windows: WindowOptions
  @Option(help: .key("final-iterations")) var finalIterations: Int?
  @Option(help: .key("final-subsets")) var finalSubsets: Int?
  @Option(help: .key("initial")) var initial = standard.initial
  @Option(help: .key("reg", "β|β,δ")) var reg: Regularisation?
  @Option(help: .key("filter")) var filter: FBPOptions.Filter?
  @Option(help: .key("relaxation")) var relaxation = standard.relaxation
  @Flag(help: .key("non-negative")) var nonNegative = false
  @Option(defaultAsFlag: DiskMasking.yes, parsing: .next, help: .key("disk-mask", "auto|yes|no"))
  var diskMask: DiskMasking? = nil

  @OptionGroup var subsets: SubsetKnobs
  @OptionGroup var filters: FilterOptions

  @Option(help: .key("workers")) var workers: Int?
  @Option(help: .key("threads")) var threads: Int?
  @Option(help: .key("bands", "auto|n")) var bands: BandCount?
  @Option(help: .key("rate", "p/s")) var rate: Double?
  @Option(help: .key("lag-max")) var lagMax: Int?
  @OptionGroup var pace: PaceOptions
  @Option(help: .key("disk-buffer", "gib")) var diskBuffer: Double?

  @Option(help: .key("format")) var format = standard.format
  @Option(help: .key("bits")) var bits = standard.bits
  @OptionGroup var output: OutputOptions
  @Option(help: .key("minus-log")) var minusLog = standard.minusLog
  @Option(name: .customLong("i0"), help: .key("i0", "counts|border")) var i0: BeamIntensity?
  @Option(help: .key("flat-fields")) var flatFields = standard.flatFields
  @Option(help: .key("theta-unit")) var thetaUnit = standard.thetaUnit
  @Option(help: .key("durability")) var durability = standard.durability
  @Option(help: .key("mirror"), completion: .directory) var mirror: String?
  @Option(help: .key("parity", "k+m@folders")) var parity: Parity?
  @Option(help: .key("scrub", "seconds")) var scrub = standard.scrub
  @Option(help: .key("checkpoint-every", "n|seconds")) var checkpointEvery = standard.checkpointEvery
  @Option(help: .key("log-level")) var logLevel = standard.logLevel
  @Option(help: .key("retain", "keep|none|days")) var retain = standard.retain

  @OptionGroup(title: "Control options") var control: ControlOptions
  @Option(help: .key("stage", "record")) var stage: [String] = []
  @OptionGroup(title: "Events") var events: EventOptions
  @OptionGroup(title: "Fabric") var fabric: FabricOptions
  @OptionGroup var options: RunOptions

  private static let standard = ScanDescription.standard

  func run() throws {
    try checkStages()
    try options.reconstruct(description)
  }

  private func checkStages() throws(ScanFailure) {
    guard !stage.isEmpty, UserStages(scanText: stage.joined(separator: " ")) == nil else { return }
    throw ScanFailure(.usage, "--stage \(stage.joined(separator: " ")) is not \(UserStages.form)")
  }

  private var description: ScanDescription {
    var scan = ScanDescription(input: input, outputFolder: outputFolder)
    scan.runFolder = runFolder
    (scan.rotationAxis, scan.axisTilt, scan.fieldOfView) = (rotationAxis, axisTilt, fieldOfView)
    (scan.startRow, scan.endRow, scan.nsino, scan.binning) = (startRow, endRow, nsino, binning)
    (scan.algorithm, scan.final) = (algorithm, final)
    windows.apply(to: &scan)
    pace.apply(to: &scan)
    (scan.finalIterations, scan.finalSubsets) = (finalIterations, finalSubsets)
    (scan.initial, scan.regularisation, scan.filter) = (initial, reg, filter)
    (scan.relaxation, scan.nonNegative, scan.diskMask) = (relaxation, nonNegative, diskMask ?? Self.standard.diskMask)
    (scan.workers, scan.threads, scan.bands) = (workers, threads, bands)
    (scan.rate, scan.lagMax, scan.diskBuffer) = (rate, lagMax, diskBuffer)
    (scan.durability, scan.mirror, scan.parity) = (durability, mirror, parity)
    (scan.scrub, scan.checkpointEvery) = (scrub, checkpointEvery)
    (scan.format, scan.bits, scan.minusLog, scan.thetaUnit, scan.retain) = (format, bits, minusLog, thetaUnit, retain)
    output.apply(to: &scan)
    series.apply(to: &scan)
    (scan.i0, scan.flatFields) = (i0, flatFields)
    selection.apply(to: &scan)
    source.apply(to: &scan)
    subsets.apply(to: &scan)
    filters.apply(to: &scan)
    scan.logLevel = logLevel
    scan.stage = UserStages(scanText: stage.joined(separator: " "))
    control.apply(to: &scan)
    events.apply(to: &scan)
    fabric.apply(to: &scan)
    return scan
  }
}

extension RotationAxis {
  /// From a number, `auto`, `last` or `from:RUN`; a range is for `sweep`.
  init(option: String) throws {
    guard let axis = RotationAxis(option) else {
      throw ValidationError(
        (try? SweepValues(name: "rotation-axis", text: option, option: option)).map { $0.words.count > 1 } ?? false
          ? "\(option) is several axes: slipring sweep --rotation-axis \(option) tries them on one row"
          : "\(option) is neither a number of pixels nor auto, last or from:RUN")
    }
    self = axis
  }
}

extension Parity: ExpressibleByArgument {
  /// From shards and folders.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension AxisTilt: ExpressibleByArgument {
  /// From degrees or `auto`.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension DiskMasking: ExpressibleByArgument {
  /// From auto, yes or no.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension CheckpointEvery: ExpressibleByArgument {
  /// From a number of updates or seconds.
  package init?(argument: String) { self.init(argument) }
  /// For the help.
  package var defaultValueDescription: String { text }
}

extension Regularisation: ExpressibleByArgument {
  /// From β or β,δ.
  package init?(argument: String) { self.init(argument) }
  /// For the help.
  package var defaultValueDescription: String { text }
}

extension BeamIntensity: ExpressibleByArgument {
  /// From a number or `border`.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension Algorithm: ExpressibleByArgument {}
extension FieldOfView: ExpressibleByArgument {}
extension InitialVolume: ExpressibleByArgument {}
extension FBPOptions.Filter: ExpressibleByArgument {}
extension Durability: ExpressibleByArgument {}
extension OutputFormat: ExpressibleByArgument {}
extension SampleBits: ExpressibleByArgument {}
extension MinusLog: ExpressibleByArgument {}
extension FlatFields: ExpressibleByArgument {}
extension AngleUnit: ExpressibleByArgument {}
extension LogLevel: ExpressibleByArgument {}

extension Retention: ExpressibleByArgument {
  /// From keep, none or a number of days.
  package init?(argument: String) { self.init(argument) }
  /// For the help.
  package var defaultValueDescription: String { text }
}
