import ArgumentParser
import Dashboard
import Foundation
import Glibc
import Host
import Run
import Serve
import Variables

/// Takes scan after scan, and reconstructs them.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Takes scan after scan, from detectors and from a folder of files, and reconstructs each.",
    discussion: """
      What it does stands in a file: folder, output, runs; free-at-least, keep, keep-volumes, volumes-at-most and \
      keep-failed for the disk; epics for process variables; address, name, token-file, tls-certificate, tls-key and \
      files-from for the page and the API of all scans; on-change and hook for who is to be told of scans; and \
      sources, each with an address, a scan file and the silence after which a scan has ended. It goes on until \
      SIGTERM; what is under way then, or when it is killed, goes on at the next start. slipring list, show and tail \
      show its scans, slipring queue changes what becomes of them.
      """)

  @Argument(
    help: ArgumentHelp("What is to be served.", valueName: "serve.yaml"),
    completion: .file(extensions: ["yaml", "yml"])) var file: String
  @Flag(help: "Look for mistakes in the file, and end.") var check = false

  func run() throws {
    let file = try ServeFile(path: absolutePath(file))
    try ScanServerPage.address(file)
    if check { return Console.notice("\(self.file) is well; \(counted(file.sources.count, "source"))") }
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let manager = ServiceManager(environment: ProcessInfo.processInfo.environment, processID: getpid())
    // It is this process's; its children have nothing to tell.
    for name in ServiceManager.environmentNames { unsetenv(name) }
    let server = try Server(
      file, executable: Console.executable, signals: signals, manager: manager, notice: Console.notice)
    // Scans are taken whether or not somebody can look at it.
    do {
      server.monitor = try file.epics.map {
        try ServerVariables(prefix: $0, ScanQueue(folder: file.folder), notice: Console.notice)
      }
    } catch { Console.notice("no process variables of the server: \(error)") }
    let page = try ScanServerPage(file) { Console.notice($0) }
    // Who may read what goes to a log is not who may change something.
    if let page { Console.notice("page: \(Console.isTerminal ? page.addressWithToken : page.address)") }
    defer { page?.stop() }
    Console.notice("serving \(file.sources.map(\.name).joined(separator: ", ")) in \(file.folder)")
    try server.run()
  }
}

/// Takes what a detector sends; started by the server, not by people.
struct ServeIntake: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve-intake", abstract: "Takes what one source sends. The server starts it.", shouldDisplay: false)

  @Argument(help: "The server's file.") var file: String
  @Argument(help: "The source's name.") var source: String
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let source = source
    try Intake(ServeFile(path: file), source: source).run(signals: signals) { Console.notice("\(source): \($0)") }
  }
}

/// Reconstructs one scan; started by the server, not by people.
struct ServeJob: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve-job", abstract: "Reconstructs one scan of the queue. The server starts it.",
    shouldDisplay: false)

  @Argument(help: "The server's file.") var file: String
  @Argument(help: "The scan's number.") var number: Int
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let job = try Job(ServeFile(path: file), number: number)
    // A scan is reconstructed whether or not somebody can look at it.
    var variables: RunVariables?
    do {
      variables = try job.epics.map { try RunVariables(prefix: $0, allowsStop: false, notice: Console.notice) }
    } catch { Console.notice("no process variables: \(error)") }
    do {
      let monitors = RunMonitors([ProgressLine(isQuiet: true)] + (variables.map { [$0] } ?? []))
      let result = try job.run(
        executable: Console.executable, command: CommandLine.arguments, signals: signals, monitor: monitors,
        notice: Console.notice)
      variables?.finish(result)
    } catch {
      variables?.fail("\(error)", isAwaited: (error as? StageFailure)?.isInterrupt == true)
      throw error
    }
  }
}
