import ArgumentParser
import Host
import Run
import ScanPlan

/// One of Slipring's own works beside a run, or the saving of what one has made; started by the supervisor, not by
/// people.
struct LiveStageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "live-stage", abstract: "Works on the volume beside a run. The supervisor starts it.",
    shouldDisplay: false)

  @Argument(help: "The stage's name in --stage.") var name: String
  @Option(help: "The run's folder.") var runFolder: String
  @Option(help: "The run's folder in /dev/shm, without a slash.") var regions: String
  @Flag(help: "Saves what the stage has made of the finished volume.") var save = false
  @Option(help: "A figure that goes into the file, NAME=VALUE.") var figure: [String] = []
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    guard !regions.contains("/") else { throw ScanFailure(.usage, "--regions \(regions): it has no slash") }
    try parentOptions.begin()
    let runner = try LiveStageRunner(stage: name, folder: RunFolder(path: runFolder), regions: regions)
    let figures = figure.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }.filter { $0.count == 2 }
    if save { try runner.save(Dictionary(figures.map { ($0[0], $0[1]) }) { $1 }) } else { try runner.run() }
  }
}
