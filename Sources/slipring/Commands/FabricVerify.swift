import ArgumentParser
import Glibc
import Host
import Run

/// Whether what servers keep of a run is whole.
struct FabricVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Reads every message that the servers keep of a run. Changes nothing.",
    discussion: """
      Each is compared with its own checksum, and with --run-folder with the journal of the edge's run. What is \
      missing, damaged, foreign or different is told, and ends it with 65.
      """)

  @OptionGroup var fabric: FabricServers
  @Argument(help: ArgumentHelp("The run, by its 32 digits.", valueName: "run")) var number: String
  @Option(help: "The folder of the edge's run, whose journal is compared with.", completion: .directory)
  var runFolder: String?
  @Flag(help: "Print what was found as JSON.") var json = false

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let found = try FabricVerification(
      fabric.runs(), number, folder: runFolder.map { RunFolder(path: $0) }, stopRequested: signals.stopOnSignal)
    if json { try Console.json(found) }
    if let failure = found.failure { throw failure }
    guard !json else { return }
    Console.result(
      "\(counted(found.messages, "message")) of run \(found.run) are whole"
        + (found.hasJournal ? ", and what the edge's journal has" : ""))
  }
}
