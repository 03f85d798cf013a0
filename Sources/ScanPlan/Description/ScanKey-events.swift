package import Events

// Whom a run tells of itself beyond its machine, and from whom it takes commands.
extension ScanKey {
  static let events = [
    ScanKey(
      .output, "events", \.events,
      """
      Send what becomes of the run here, as JSON: kafka://HOST:PORT[,HOST:PORT]/PREFIX (topics PREFIX.runs, .scores, \
      .status, .losses, .alarms) or diaspora+https://HOST/PATH/PREFIX; several with blanks between them.
      """,
      unset: "nobody is told", .addresses),
    ScanKey(
      .output, "events-config", \.eventsConfig,
      "A file of lines key=value: settings of librdkafka, as security.protocol=SASL_SSL, and diaspora.token.file.",
      unset: "no encryption, no names", .needed("the path of a file")),
    ScanKey(
      .output, "events-patience", \.eventsPatience,
      "Seconds that are waited after the run's end for events to be taken.", .within(0...3600, "seconds")),
    ScanKey(
      .control, "accept-commands", \.acceptCommands,
      """
      A topic of the cluster in which somebody may ask for the run's end: {"run": …, "command": "finalize" or \
      "abort", "by": …}.
      """,
      unset: "no commands are accepted", .topic),
  ]
}

/// The sinks of a run, in their order, with blanks between them.
package struct EventAddresses: ScanValue {
  /// As it is written on the command line and in scan.yaml.
  package let scanText: String

  fileprivate static let countMax = 8

  /// For people.
  package static var form: String { "up to \(countMax) of kafka://HOST:PORT/PREFIX and diaspora+https://HOST/PREFIX" }

  /// Words with blanks between them, whether they are addresses or not.
  package init?(scanText: String) {
    self.scanText = scanText.split(separator: " ").joined(separator: " ")
    if self.scanText.isEmpty { return nil }
  }

  /// What the words are. Throws where one is no address.
  var addresses: [EventAddress] {
    get throws(EventsError) {
      var addresses: [EventAddress] = []
      for word in scanText.split(separator: " ") { addresses.append(try EventAddress(String(word))) }
      return addresses
    }
  }
}

extension ScanLimit where Value == EventAddresses {
  /// Addresses, none of them twice.
  static var addresses: ScanLimit {
    ScanLimit(form: EventAddresses.form) { events in
      do throws(EventsError) {
        let addresses = try events.addresses.map(\.description)
        return addresses.count <= EventAddresses.countMax && Set(addresses).count == addresses.count
          ? nil : "is not \(EventAddresses.form), none of them twice"
      } catch { return "is not \(EventAddresses.form): \(error)" }
    }
  }
}

extension ScanLimit where Value == String {
  private static let topicMax = 249

  /// A name of a topic of Kafka.
  static var topic: ScanLimit {
    let form = "the name of a topic"
    return ScanLimit(form: form) { name in
      let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
      return (1...topicMax).contains(name.utf8.count) && isName
        ? nil : "is not \(form): up to \(topicMax) letters, digits, dots, _ and -"
    }
  }
}

extension ScanDescription {
  /// Whom the run tells; nil for nobody.
  package var eventsPlan: EventsPlan? {
    get throws(EventsError) {
      guard let events else { return nil }
      return EventsPlan(
        addresses: try events.addresses, settingsPath: eventsConfig, commandTopic: acceptCommands,
        patience: .seconds(eventsPatience))
    }
  }

  /// Throws where something is wrong that is known before anything is sent: a library that is not there, a setting.
  func checkEvents() throws(ScanFailure) {
    do throws(EventsError) { try eventsPlan?.check() } catch { throw ScanFailure(error) }
  }

  var eventsProblem: String? {
    guard let events else {
      let given = [
        eventsConfig.map { "--events-config \($0)" }, acceptCommands.map { "--accept-commands \($0)" },
        eventsPatience == Self.standard.eventsPatience ? nil : "--events-patience \(eventsPatience.scanText)",
      ]
      return given.compactMap { $0 }.first.map { "\($0) goes with --events, which says where they go" }
    }
    guard let acceptCommands, (try? events.addresses)?.contains(where: \.isKafka) == false else { return nil }
    return "--accept-commands \(acceptCommands) is a topic of Kafka, and --events names no kafka:// address"
  }
}
