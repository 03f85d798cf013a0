import ArgumentParser
import ScanPlan

/// A scan file to begin with.
struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a scan file with every key, what it means, and its default.",
    discussion: "A file that is there already is left as it is.")

  @Argument(
    help: ArgumentHelp("The file to write.", valueName: "scan.yaml"), completion: .file(extensions: ["yaml", "yml"]))
  var scanFile = "scan.yaml"
  @Option(help: .key("input"), completion: .file()) var input = "scan.h5"
  @Option(help: .key("output-folder"), completion: .directory) var outputFolder = "out"
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    try ScanFile.create(scanFile, ScanDescription(input: input, outputFolder: outputFolder))
    if !quiet {
      Console.result("\(scanFile): every key with its default; look for mistakes with slipring check \(scanFile)")
    }
  }
}
