import ArgumentParser
import Scan

/// What would come of a scan file.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks for mistakes in a scan file, all of them, without running it.")

  @Argument(help: ArgumentHelp("The scan file.", valueName: "scan.yaml")) var scanFile: String
  @Argument(help: ArgumentHelp("An input to check it with, in place of its own.", valueName: "input")) var input: String?

  func run() throws {
    let file = try ScanFile(path: scanFile, input: input)
    for problem in file.problems { Console.write(file.located(problem) + "\n") }
    guard file.problems.isEmpty else {
      throw ScanFailure(.configuration, "\(scanFile) has \(file.problems.count == 1 ? "a mistake" : "\(file.problems.count) mistakes")")
    }
  }
}
