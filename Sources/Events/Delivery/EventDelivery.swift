import Glibc
import Host

/// What a run is to tell whom.
package struct EventsPlan: Equatable, Sendable {
  /// The sinks.
  package let addresses: [EventAddress]
  /// The file of settings; nil for none.
  let settingsPath: String?
  /// The topic in which commands are accepted; nil for none.
  let commandTopic: String?
  /// How long sinks have after the run's end.
  package let patience: Duration

  /// As given.
  package init(addresses: [EventAddress], settingsPath: String?, commandTopic: String?, patience: Duration) {
    (self.addresses, self.settingsPath, self.commandTopic) = (addresses, settingsPath, commandTopic)
    self.patience = patience
  }

  /// The same for a run that is over, which nobody commands, with another patience.
  package func withoutCommands(patience: Duration) -> EventsPlan {
    EventsPlan(addresses: addresses, settingsPath: settingsPath, commandTopic: nil, patience: patience)
  }

  /// The settings, as they are now.
  func settings() throws(EventsError) -> EventSettings {
    if let settingsPath { try EventSettings(path: settingsPath) } else { .none }
  }

  /// Throws where a library is missing, or a setting is wrong: what can be known before anything is sent.
  package func check() throws(EventsError) {
    let settings = try settings()
    try settings.check()
    guard addresses.contains(where: \.isKafka) else { return }
    try KafkaLibrary.load().check(settings)
  }
}

/// Sends what a run's outbox holds to all of its sinks, and reads commands: the work of a process of its own, which may
/// die at any time. Its successor goes on where the cursors are.
package final class EventDelivery {
  private let folder: String
  private let run: String
  private let obey: (RunCommand) throws -> Void
  private let sinks: [SinkDelivery]
  private let lines: OutboxReader
  private let commands: CommandReader?
  private let lock: LockFile
  private var report: EventsReport
  /// Lines of the outbox, without those that are not whole.
  private var count = 0
  /// Whether the run was over when the outbox was opened.
  private var isEnded = false
  private var savedCommands: CommandReader.Progress?

  private static let listeningLimit: Duration = .seconds(5)
  private static let stopLimit: Duration = .seconds(2)

  /// What there is to do in a run's folder of events. `obey` does what is asked of the run, and throws where it cannot
  /// be asked.
  /// - Throws: `EventsError`, and `HostError` where another process delivers.
  package init(_ plan: EventsPlan, folder: String, run: String, obey: @escaping (RunCommand) throws -> Void) throws {
    (self.folder, self.run, self.obey) = (folder, run, obey)
    guard let lock = try LockFile(path: "\(folder)/lock") else {
      throw EventsError.refused(sink: "any sink", reason: "another process delivers the events in \(folder)")
    }
    self.lock = lock
    lines = try OutboxReader(path: "\(folder)/\(EventOutbox.fileName)", isDurable: false)
    report = EventsReport(plan.addresses)
    let settings = try plan.settings()
    let library = plan.addresses.contains(where: \.isKafka) ? try KafkaLibrary.load() : nil
    var start = -1
    while let line = try lines.next() {
      count += 1
      guard case .record(let record) = line, record.topic == .runs else { continue }
      isEnded = record.isLast
      if !isEnded { start = record.sequence }
    }
    commands = try Self.commands(plan, library, settings, run: run, folder: folder, start: start)
    sinks = plan.addresses.enumerated().map { number, address in
      SinkDelivery(
        folder: folder, number: number, address: address, patience: plan.patience,
        isOpen: plan.commandTopic == nil
      ) { () throws(EventsError) in
        guard let library, address.isKafka else { return DiasporaSink(address, settings) }
        return try KafkaSink(library, address, settings)
      }
    }
  }

  private static func commands(
    _ plan: EventsPlan, _ library: KafkaLibrary?, _ settings: EventSettings, run: String, folder: String, start: Int
  ) throws(EventsError) -> CommandReader? {
    guard let topic = plan.commandTopic, let address = plan.addresses.first(where: \.isKafka), let library else {
      return nil
    }
    let saved = EventFile.read(CommandReader.Progress.self, "\(folder)/\(commandsName)")
    let progress = saved.flatMap { $0.start == start ? $0 : nil } ?? CommandReader.Progress(start: start)
    return try CommandReader(library, address, settings, topic: topic, run: run, progress: progress)
  }

  private static let commandsName = "commands.json"

  /// Works until everything is delivered after the run's end, or there is no time left, or `isStopped`. `tell` hears
  /// how far it is, twice a second at least: a sign of life. With `isOver` no more comes, whatever the outbox says.
  package func work(isOver: Bool = false, isStopped: () -> Bool, tell: (EventsReport) -> Void) throws {
    let opening = ContinuousClock.now
    if isOver || isEnded { end(.now) }
    while !isStopped(), !sinks.allSatisfy(\.isOver) {
      try follow(isOver: isOver)
      if commands?.isListening ?? true || ContinuousClock.now - opening >= Self.listeningLimit {
        for sink in sinks { sink.open() }
      }
      takeCommand()
      tell(current())
    }
    for sink in sinks { _ = sink.stop(within: Self.stopLimit) }
    try follow(isOver: isOver)
    tell(current())
  }

  /// Takes note of what was added to the outbox.
  private func follow(isOver: Bool) throws {
    while let line = try lines.next() {
      count += 1
      guard !isOver, case .record(let record) = line, record.topic == .runs else { continue }
      end(record.isLast ? .now : nil)
    }
  }

  private func end(_ time: ContinuousClock.Instant?) { for sink in sinks { sink.end(time) } }

  private func current() -> EventsReport {
    report.sinks = sinks.map(\.report)
    for index in report.sinks.indices {
      let sink = report.sinks[index]
      report.sinks[index].pending = max(0, count - sink.sent - sink.refused)
    }
    report.commandsProblem = commands?.problem
    report.commands = commands?.progress.obeyed
    report.commandsRefused = commands?.progress.refused
    return report
  }

  private static let turn: Duration = .milliseconds(200)

  /// Waits for a command, and does what it says; without commands it only waits.
  private func takeCommand() {
    guard let commands else {
      usleep(UInt32(Self.turn / .microseconds(1)))
      return
    }
    let text = commands.next(waiting: Self.turn)
    if let text {
      switch CommandReader.read(text, run: run) {
      case .foreign: break
      case .wrong: commands.progress.refused += 1
      case .command(let command):
        do {
          try obey(command)
          commands.progress.obeyed += 1
        } catch { commands.progress.refused += 1 }
      }
    }
    // After it was obeyed: asking again changes nothing.
    guard commands.isListening, commands.progress != savedCommands else { return }
    if EventFile.write(commands.progress, "\(folder)/\(Self.commandsName)") { savedCommands = commands.progress }
  }
}
