import ArgumentParser
import Run

/// Goes on with a run whose supervisor died.
struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes on with a run whose supervisor or machine died, after what its journals and checkpoints hold.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run")) var runFolder: String
  @OptionGroup var options: RunOptions

  func run() throws { try options.resume(RunFolder(path: runFolder)) }
}
