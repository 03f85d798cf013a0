import ArgumentParser
import Glibc
import Host
import ScanPlan

/// One row with each of several values.
struct SweepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep",
    abstract: "Reconstructs one row of a scan file once for each value of an option, and puts the slices side by side.",
    discussion: """
      slipring sweep scan.h5 --rotation-axis 290:302:0.5 --output-folder try \
      makes 25 slices and names the sharpest. --algorithm fbp,sirt,auto, --reg '0.01;0.1' and --vary weight=0.5x,1x,2x \
      work likewise, and --vary with every other key of scan.yaml, but for rows, output and folders. One option has \
      several values; others, and --set, give all slices one. The folder gets a TIFF for each value, and sweep.svg and \
      sweep.png, in which they have the same range of grey.
      """)

  @Argument(help: .key("input"), completion: .file()) var input: String
  @Option(help: "Folder of the slices and the picture.", completion: .directory) var outputFolder: String
  @Option(
    help: ArgumentHelp(
      "What is tried, as rotation-axis=290:302:0.5 or algorithm=fbp,sirt; semicolons part values that have commas.",
      valueName: "name=values"))
  var vary: String?
  @OptionGroup var shortForms: SweepShortForms
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("A key of scan.yaml and its value, as binning=1; can be repeated.", valueName: "name=value"))
  var settings: [String] = []
  @Option(help: "The detector row, from 0. (default: the middle one)") var row: Int?
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    var scan = ScanDescription(input: input, outputFolder: outputFolder)
    let values = try shortForms.apply(to: &scan, vary: vary)
    for setting in settings {
      let halves = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard halves.count == 2 else { throw ScanFailure(.usage, "--set \(setting): write NAME=VALUE") }
      guard halves[0] != values.name else {
        throw ScanFailure(.usage, "--set \(setting): \(halves[0]) is what the sweep varies")
      }
      try Sweep.refuseFixed(halves[0])
      try scan.set(halves[0], to: halves[1])
    }
    let report = try Sweep(
      scan: scan, values: values, row: row, folder: outputFolder, signals: signals, executable: Console.executable
    ).run(command: CommandLine.arguments, monitor: ProgressLine(isQuiet: quiet, hasProgress: false)) { word in
      if !quiet { Console.notice("\(values.name) \(word)") }
    }
    if json { return try Console.json(report) }
    guard !quiet else { return }
    for trial in report.trials {
      Console.result(
        "\(report.key) \(trial.value): entropy \((trial.entropy * 1000).rounded() / 1000), "
          + "\(ProgressLine.oneDecimal(trial.seconds)) s, \(trial.slice)")
    }
    if let best = report.best { Console.result("the sharpest slice has \(report.key) \(best)") }
    Console.result("look at \(report.picture) or \(report.strip)")
  }
}
