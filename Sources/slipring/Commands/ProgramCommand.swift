import ArgumentParser
import Host

/// Becomes the program that a stage starts, so that it dies with the stage; started by the stage, not by people.
struct ProgramCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "program", abstract: "Becomes a denoising program. The stage denoise starts it.", shouldDisplay: false)

  @Option(help: "The stage's process id.") var parent: Int32
  @Argument(help: "The program.") var path: String

  func run() throws {
    try ChildProcess.dieWithParent(expectedParent: parent)
    try ChildProcess.become(path)
  }
}
