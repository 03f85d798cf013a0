import ArgumentParser
import Scan

/// From a scan file to a volume.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs what a scan file describes, through the whole pipeline: recon with its options in a file.")

  @Argument(
    help: ArgumentHelp("The scan file, as slipring init writes it; paths in it are from the present folder.", valueName: "scan.yaml"))
  var scanFile: String
  @OptionGroup var options: RunOptions

  func run() throws {
    let file = try ScanFile(path: scanFile)
    try file.validate()
    try options.reconstruct(file.scan)
  }
}
