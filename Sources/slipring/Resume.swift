import ArgumentParser
import Glibc
import Host
import Scan

/// Goes on with a run whose supervisor died.
struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes on with a run whose supervisor or machine died, after what its journals and checkpoints hold.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run")) var runFolder: String
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let progress = ProgressLine(isQuiet: quiet)
    defer { progress.end() }
    let outcome = try Reconstruction.resume(
      RunFolder(path: runFolder), executable: Console.executable, signals: signals, monitor: progress
    ) { if !quiet { Console.notice($0) } }
    progress.end()
    try Recon.report(outcome, json: json, quiet: quiet)
  }
}
