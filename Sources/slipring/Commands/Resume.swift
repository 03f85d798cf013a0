import ArgumentParser
import Host
import Run
import ScanPlan

/// Goes on with a run whose supervisor died.
struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes on with a run whose supervisor or machine died, after what its journals and checkpoints hold.")

  @Argument(help: ArgumentHelp("The run's folder, or that of a series.", valueName: "run"), completion: .directory)
  var runFolder: String
  @OptionGroup var options: RunOptions

  func run() throws {
    guard SeriesManifest.isThere(runFolder) else { return try options.resume(RunFolder(path: runFolder)) }
    let scan = try SeriesManifest.read(runFolder).description
    guard let interval = scan.volumeEvery else {
      throw ScanFailure(.data, "\(SeriesManifest.path(in: runFolder)) does not say which volumes are to be made")
    }
    try options.makeSeries(scan, interval)
  }
}
