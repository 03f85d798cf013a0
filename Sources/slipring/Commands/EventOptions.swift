import ArgumentParser
import Events
import ScanPlan

/// Whom a run tells of itself beyond its machine.
struct EventOptions: ParsableArguments {
  @Option(help: .key("events", "address"), transform: EventAddress.init(option:)) var events: [EventAddress] = []
  @Option(help: .key("events-config", "file")) var eventsConfig: String?
  @Option(help: .key("events-patience", "seconds")) var eventsPatience = ScanDescription.standard.eventsPatience
  @Option(help: .key("accept-commands", "topic")) var acceptCommands: String?

  mutating func validate() throws {
    guard !events.isEmpty, EventAddresses(scanText: words) == nil else { return }
    throw ValidationError("--events names \(EventAddresses.form), none of them twice")
  }

  private var words: String { events.map(\.description).joined(separator: " ") }

  /// Takes them over.
  func apply(to scan: inout ScanDescription) {
    scan.events = EventAddresses(scanText: words)
    (scan.eventsConfig, scan.eventsPatience, scan.acceptCommands) = (eventsConfig, eventsPatience, acceptCommands)
  }
}

extension EventAddress {
  /// From one address; several are several options.
  fileprivate init(option: String) throws {
    do throws(EventsError) { try self.init(option) } catch { throw ValidationError("--events: \(error)") }
  }
}
