import ArgumentParser
import ScanPlan

/// Whom a run tells of itself beyond its machine.
struct EventOptions: ParsableArguments {
  @Option(help: .key("events", "address")) var events: [String] = []
  @Option(help: .key("events-config", "file")) var eventsConfig: String?
  @Option(help: .key("events-patience", "seconds")) var eventsPatience = ScanDescription.standard.eventsPatience
  @Option(help: .key("accept-commands", "topic")) var acceptCommands: String?

  /// Takes them over.
  func apply(to scan: inout ScanDescription) {
    scan.events = EventAddresses(scanText: events.joined(separator: " "))
    (scan.eventsConfig, scan.eventsPatience, scan.acceptCommands) = (eventsConfig, eventsPatience, acceptCommands)
  }
}
