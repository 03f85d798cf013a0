import ArgumentParser
import Events
import Host
import Run
import ScanPlan

/// Sends what a run's events could not.
struct Deliver: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends the events of a run that is over to those sinks of its --events that have not taken them yet.",
    discussion: "A sink may get events once more that it has: run, topic and sequence tell which they are.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run")) var runFolder: String
  @Option(help: ArgumentHelp("Seconds that sinks have for it.", valueName: "seconds")) var patience = 60.0
  @Flag(help: "Print what was sent as one JSON object.") var json = false

  mutating func validate() throws {
    guard (0...86_400).contains(patience) else {
      throw ValidationError("--patience \(patience) is outside 0…86400 seconds")
    }
  }

  func run() throws {
    var report: EventsReport?
    try RunDelivery(RunFolder(path: runFolder), patience: .seconds(patience)).work { report = $0 }
    guard let report else { return }
    if json { try Console.json(report) }
    for sink in report.sinks where !json {
      Console.result(
        "\(sink.sink): \(sink.sent) sent, \(sink.pending) not sent, \(sink.refused) refused"
          + (sink.problem.map { " (\($0))" } ?? ""))
    }
    guard let late = report.sinks.first(where: { $0.pending > 0 }) else { return }
    throw ScanFailure(
      .temporary, "\(late.sink) has not taken \(late.pending) events (\(late.problem ?? "no time was left"))")
  }
}

/// The process beside a run that delivers its events; started by the supervisor, not by people.
struct EventDeliveryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "event-delivery", abstract: "Delivers the events of a run. The supervisor starts it.",
    shouldDisplay: false)

  @Option(help: "The run's folder.") var runFolder: String
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    try RunDelivery(RunFolder(path: runFolder)).work { report in
      do { try Console.jsonLine(report) } catch {
        // Nobody listens any more: the supervisor is about to end this process.
      }
    }
  }
}
