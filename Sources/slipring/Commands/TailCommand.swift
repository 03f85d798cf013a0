import ArgumentParser
import Glibc
import Host
import ScanPlan
import Serve

/// What happens to the scans of a server, as it happens.
struct TailCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tail", abstract: "Follows what becomes of the scans of a server, and what their processes say.",
    discussion: """
      Every change is a line, and with the number of a scan what its processes say as well. It ends with Ctrl-C or \
      SIGTERM.
      """)

  @OptionGroup var server: ServerFolder
  @Argument(help: "The scan's number; by default all scans, without what their processes say.") var number: Int?
  @Option(help: ArgumentHelp("Begin behind this change, not with those from now on.", valueName: "id"))
  var after: Int?
  @Flag(help: "Print each line as a JSON object.") var json = false

  private static let period: Duration = .milliseconds(200)

  /// A line of a log, as JSON.
  private struct LogLine: Encodable {
    let scan: Int
    let line: String
  }

  func run() throws {
    let queue = try server.queue()
    if let number, try queue.entry(number) == nil {
      throw ScanFailure(.noInput, "there is no scan \(number) in \(queue.folder); slipring list shows all")
    }
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    var changes = ChangeFollower(queue, after: after)
    var log = number.map { LogFollower(path: queue.log(of: $0)) }
    // Who reads no more has seen enough.
    signal(SIGPIPE, SIG_DFL)
    while try signals.next() == nil {
      for change in changes.next() where number == nil || change.scan == number {
        if json {
          try Console.jsonLine(change)
        } else {
          Console.result("\(ScanWords.time(change.time))  \(change.words)")
        }
      }
      for line in log?.next() ?? [] {
        if json { try Console.jsonLine(LogLine(scan: number ?? 0, line: line)) } else { Console.result("  \(line)") }
      }
      _ = try Poll.wait(readable: [signals.descriptor], timeout: Self.period)
    }
  }
}
