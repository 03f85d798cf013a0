import ArgumentParser
import Host

/// Becomes the program that a stage starts, so that it dies with the stage; started by the stage, not by people.
struct ProgramCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "program", abstract: "Becomes a denoising program. The stage denoise starts it.", shouldDisplay: false)

  @Argument(help: "The program.") var path: String
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    try ChildProcess.become(path)
  }
}
