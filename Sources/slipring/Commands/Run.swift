import ArgumentParser
import Host
import Run
import ScanPlan

/// From a scan file to a volume.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs what a scan file describes, through the whole pipeline: recon with its options in a file.")

  @Argument(
    help: ArgumentHelp(
      "The scan file, as slipring init writes it; paths in it are from the present folder.", valueName: "scan.yaml"),
    completion: .file(extensions: ["yaml", "yml"]))
  var scanFile: String
  @Flag(help: "Go on with the run in run-folder, if one was begun there and did not finish.") var resume = false
  @OptionGroup var options: RunOptions

  func run() throws {
    let file = try ScanFile(path: scanFile)
    try file.validate()
    // A series goes on by itself.
    guard resume, file.scan.volumeEvery == nil else { return try options.reconstruct(file.scan) }
    guard let path = file.scan.runFolder else {
      throw ScanFailure(
        .configuration, "\(scanFile) has no run-folder, so --resume cannot tell which run to go on with; add one")
    }
    let folder = RunFolder(path: path)
    if folder.isUnfinished { try options.resume(folder) } else { try options.reconstruct(file.scan) }
  }
}
