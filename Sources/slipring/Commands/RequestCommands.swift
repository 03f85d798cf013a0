import ArgumentParser
import Glibc
import Run

/// Who asks, where nobody says otherwise.
struct Requester: ParsableArguments {
  @Option(help: "Who asks, for reports. (default: the user)") var by: String?

  var name: String {
    by ?? getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "user \(geteuid())"
  }
}

/// Ends the acquisition of a running run.
struct Finalize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ends the acquisition of a running run, which then reconstructs and exports what was acquired.",
    discussion: "Of a live series it ends the scan: the volumes of what came are made.")

  @Argument(help: ArgumentHelp("The run's folder, or that of a live series.", valueName: "run"), completion: .directory)
  var runFolder: String
  @OptionGroup var requester: Requester

  func run() throws {
    if SeriesManifest.isThere(runFolder) {
      try SeriesIntake.end(runFolder)
      return Console.notice("asked for the end of the scan; slipring status shows how far its volumes are")
    }
    try RunRequests(runFolder: RunFolder(path: runFolder)).finalize(by: requester.name)
    Console.notice("asked the run to finish with what was acquired; slipring status shows how far it is")
  }
}

/// Stops a running run.
struct Abort: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stops a running run at once, without a result.",
    discussion: "What was acquired is kept: slipring resume goes on with it.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
  @OptionGroup var requester: Requester

  func run() throws {
    try RunRequests(runFolder: RunFolder(path: runFolder)).abort(by: requester.name)
    Console.notice("asked the run to stop")
  }
}
