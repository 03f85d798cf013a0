import Alarms
import Glibc
import Host
import Logging
import Rings
import RunModel
import Topics

/// Looks at the figures of a run ten times a second, writes them where others find them, and tells of what is not as it
/// should be, or will not be. The run does without it: nobody waits for it, and what it asks of others they record as
/// their own decision.
struct WatchStage {
  private static let period: Duration = .milliseconds(100)
  /// Looks of a predecessor that a successor learns from: a minute, as far as they are no older.
  private static let (replayedEvents, replayedSeconds) = (20, 120.0)
  /// Where alarms are looked for that last: events of half a day at least.
  private static let toldEvents = 20_000
  /// What is left of hooks at the end has so long.
  private static let endLimit: Duration = .milliseconds(300)

  private let environment: Environment
  private let writer: TopicWriter
  private let gauges: GaugesRegion
  private var figures: RunFigures
  private var machine: MachineFigures
  private var watcher: Watcher
  private let programs: [ProgramModel]
  private let hooks: HookRunner
  private let configuration: WatchConfiguration
  private var samples: [GaugeSample] = []
  private var dropped = 0

  /// What the stage has of its process.
  struct Environment {
    let run: String
    let log: Logger
    let stopRequested: () -> Bool
    let didWork: () -> Void
    let finalize: (_ by: String) throws -> Void
    let startProgram: (String, _ input: Int32, _ output: Int32?) throws -> ChildProcess
  }

  init(
    _ configuration: WatchConfiguration, writer: TopicWriter, gauges: GaugesRegion, figures: RunFigures,
    _ environment: Environment
  ) {
    (self.configuration, self.writer, self.gauges, self.figures) = (configuration, writer, gauges, figures)
    self.environment = environment
    machine = MachineFigures(configuration)
    let notice = { (text: String) in environment.log.warning("\(text)") }
    var programs: [ProgramModel] = []
    watcher = Watcher(configuration.triggers, limits: configuration.limits) { path in
      let model = ProgramModel(path, start: { try environment.startProgram($0, $1, $2) }, noticed: notice)
      programs.append(model)
      return model
    }
    self.programs = programs
    for text in configuration.unwatched { notice(text) }
    hooks = HookRunner(start: { try environment.startProgram($0, $1, nil) }, noticed: notice)
  }

  /// Looks until it is asked to stop.
  mutating func run() throws {
    try learn()
    for program in programs { program.isLive = true }
    var due = ContinuousClock.now
    while !environment.stopRequested() {
      try look()
      due = max(due + Self.period, .now)
      usleep(UInt32(max(.zero, due - .now) / .microseconds(1)))
    }
    if !samples.isEmpty { try append(.gauges) }
    let deadline = Deadline(after: Self.endLimit)
    while !hooks.isIdle, !deadline.hasPassed {
      hooks.turn()
      usleep(10_000)
    }
    hooks.giveUp()
    gauges.askForPause(false)
    gauges.askToStayWide(false)
    try writer.flush()
  }

  /// Takes over what a predecessor saw and told, and tells nothing of it again.
  private mutating func learn() throws {
    let end = writer.nextSequence, now = Double(Machine.realtimeNanoseconds)
    var before: [GaugesEvent] = []
    for sequence in (0..<end).reversed().prefix(4 * Self.replayedEvents) where before.count < Self.replayedEvents {
      guard let (header, metadata) = try writer.event(at: sequence), header.kind == .gauges else { continue }
      let event = try metadata.withUnsafeBytes { try GaugesEvent(decoding: $0) }
      guard let last = event.samples.last, now - Double(last.at) < Self.replayedSeconds * 1e9 else { break }
      before.append(event)
    }
    for sample in before.reversed().flatMap(\.samples) { _ = watcher.look(sample) }
    watcher.takeOver(raised: try toldAlarms())
    if !before.isEmpty { environment.log.info("learnt from \(before.count * GaugesEvent.samplesMax) looks before") }
  }

  /// The triggers whose newest alarm, as it was told, has not ended. What was seen in the last minute does not say it:
  /// an alarm may be older, and a model takes for usual what lasts.
  private func toldAlarms() throws -> Set<Int> {
    var (raised, open): (Set<Int>, Set<Int>) = ([], Set(watcher.triggers.indices))
    // Whoever tells people begins anew with a resumed run, and hears of what is wrong again.
    let told = min(writer.firstSequence, writer.nextSequence)..<writer.nextSequence
    for sequence in told.reversed().prefix(Self.toldEvents) where !open.isEmpty {
      guard let (header, metadata) = try writer.event(at: sequence), header.kind == .alarm else { continue }
      let event = try metadata.withUnsafeBytes { try AlarmEvent(decoding: $0) }
      guard let index = open.first(where: { watcher.triggers[$0].name == event.trigger.name }) else { continue }
      if event.isRaised { raised.insert(index) }
      open.remove(index)
    }
    return raised
  }

  private mutating func look() throws {
    var sample = GaugeSample(at: Machine.realtimeNanoseconds)
    figures.fill(&sample)
    let left = figures.isReconstructed ? nil : max(0, configuration.projections - figures.acquired)
    machine.fill(&sample, projectionsLeft: left)
    let supervised = gauges.supervised
    (sample[.restarts], sample[.diskFull]) = (Double(supervised.restarts), Double(supervised.withoutRoom))
    gauges.note(sample)
    samples.append(sample)
    for alarm in watcher.look(sample) { try tell(alarm, sample) }
    gauges.askForPause(isRaised(.pauseWindows))
    gauges.askToStayWide(isRaised(.widen))
    if samples.count == GaugesEvent.samplesMax { try append(.gauges) }
    hooks.turn()
  }

  /// Whether an alarm lasts that has this action.
  private func isRaised(_ action: Trigger.Action) -> Bool {
    watcher.triggers.indices.contains { watcher.isRaised($0) && watcher.triggers[$0].actions.contains(action) }
  }

  private mutating func tell(_ alarm: Watcher.Alarm, _ sample: GaugeSample) throws {
    let trigger = watcher.triggers[alarm.trigger]
    let event = AlarmEvent(
      trigger: trigger, isRaised: alarm.isRaised, at: sample.at, value: alarm.value, forecast: alarm.forecast,
      evidence: sample.evidence)
    environment.log.notice("\(event.words)", metadata: ["evidence": "\(sample.evidence.map { "\($0)" } ?? "none")"])
    try append(.alarm, event.encode)
    for action in trigger.actions { act(action, event) }
  }

  private func act(_ action: Trigger.Action, _ event: AlarmEvent) {
    switch action {
    // The supervisor reads alarms, and a pause holds as long as the alarm.
    case .log, .notify, .pauseWindows: return
    case .hook(let path): hooks.add(path, order(event))
    case .finalize:
      guard event.isRaised else { return }
      do { try environment.finalize("the trigger \(event.trigger.name)") } catch {
        environment.log.warning("the scan is not ended: \(error)")
      }
    case .widen: if event.isRaised { gauges.askForWidening() }
    }
  }

  private func order(_ event: AlarmEvent) -> HookRunner.HookOrder {
    HookRunner.HookOrder(
      run: environment.run, trigger: event.trigger.name, state: event.isRaised ? "begins" : "ends",
      severity: event.trigger.severity.rawValue, gauge: event.trigger.gauge.rawValue, value: event.value,
      forecast: event.forecast, time: Double(event.at) / 1e9, evidence: event.evidence, text: event.words)
  }

  /// Writes the looks that were not written yet, or an alarm. While the disk is full, what finds no slot is left out.
  private mutating func append(_ kind: EventKind, _ encode: ((UnsafeMutableRawBufferPointer) -> Int)? = nil) throws {
    let encode = encode ?? GaugesEvent(samples).encode
    if kind == .gauges { samples.removeAll(keepingCapacity: true) }
    do throws {
      try writer.append(kind: kind, timeout: .zero, encode)
      environment.didWork()
    } catch let error as RingError where error.isTimeout {
      dropped += 1
      if dropped == 1 { environment.log.warning("no room for gauges: some are left out") }
    }
  }
}
