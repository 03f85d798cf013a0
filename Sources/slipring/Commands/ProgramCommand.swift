import ArgumentParser
import Host

/// Becomes the program that a stage starts, so that it dies with the stage; started by the stage, not by people.
struct ProgramCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "program", abstract: "Becomes a program of a person. The stage denoise or the supervisor starts it.",
    shouldDisplay: false)

  @Argument(help: "The program.") var path: String
  @Argument(parsing: .postTerminator, help: "Its arguments, behind --.") var arguments: [String] = []
  @Flag(help: "Lets every other process go first.") var last = false
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    if last { Priority.lower(by: 19) }
    try ChildProcess.become(path, arguments)
  }
}
