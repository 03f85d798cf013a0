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
  private static let endLimit: Duration = .seconds(2)

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
  private var evidence: UInt64?

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
    // Whoever was told that an alarm begins waits for its end.
    let last = GaugeSample(at: Machine.realtimeNanoseconds, evidence: evidence)
    for alarm in watcher.end() { try tell(alarm, last, isEndOfRun: true) }
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
    // The figures of a run are new with it, and with its resumption.
    let isResumed = gauges.looks == 0
    if isResumed { gauges.hooksDue = end }
    let told = try toldAlarms()
    watcher.takeOver(raised: told.mapValues(\.event.value), isResumed: isResumed)
    // Whoever tells people begins anew with a resumed run; programs know already.
    for (number, event) in told.values where number < writer.firstSequence { try append(.alarm, event.encode) }
    try callAgain(before: end)
    if !before.isEmpty { environment.log.info("learnt from \(before.count * GaugesEvent.samplesMax) looks before") }
  }

  /// The triggers whose newest alarm, as it was told, has not ended, with that alarm and its place in the topic. What
  /// was seen in the last minute does not say it: an alarm may be older, and a model takes for usual what lasts.
  private func toldAlarms() throws -> [Int: (number: UInt64, event: AlarmEvent)] {
    var (raised, open): ([Int: (number: UInt64, event: AlarmEvent)], Set<Int>) = ([:], Set(watcher.triggers.indices))
    for sequence in (0..<writer.nextSequence).reversed().prefix(Self.toldEvents) where !open.isEmpty {
      guard let event = try alarm(at: sequence),
        let index = open.first(where: { watcher.triggers[$0].name == event.trigger.name })
      else { continue }
      if event.isRaised { raised[index] = (sequence, event) }
      open.remove(index)
    }
    return raised
  }

  private func alarm(at sequence: UInt64) throws -> AlarmEvent? {
    guard let (header, metadata) = try writer.event(at: sequence), header.kind == .alarm else { return nil }
    return try metadata.withUnsafeBytes { try AlarmEvent(decoding: $0) }
  }

  /// Has programs told of what a predecessor may have told nobody: its programs died with it.
  private mutating func callAgain(before end: UInt64) throws {
    for sequence in min(gauges.hooksDue, end)..<end {
      guard let event = try alarm(at: sequence) else { continue }
      for case .hook(let path) in event.trigger.actions { hooks.add(path, order(event), number: sequence) }
    }
  }

  private mutating func look() throws {
    var sample = GaugeSample(at: Machine.realtimeNanoseconds)
    figures.fill(&sample)
    let left = figures.isReconstructed ? nil : max(0, configuration.projections - figures.acquired)
    machine.fill(&sample, projectionsLeft: left)
    let supervised = gauges.supervised
    (sample[.restarts], sample[.diskFull]) = (Double(supervised.restarts), Double(supervised.withoutRoom))
    evidence = sample.evidence ?? evidence
    gauges.note(sample)
    samples.append(sample)
    for alarm in watcher.look(sample) { try tell(alarm, sample) }
    gauges.askForPause(isRaised(.pauseWindows))
    gauges.askToStayWide(isRaised(.widen))
    if samples.count == GaugesEvent.samplesMax { try append(.gauges) }
    hooks.turn()
    gauges.hooksDue = hooks.oldest ?? writer.nextSequence
  }

  /// Whether an alarm lasts that has this action.
  private func isRaised(_ action: Trigger.Action) -> Bool {
    watcher.triggers.indices.contains { watcher.isRaised($0) && watcher.triggers[$0].actions.contains(action) }
  }

  private mutating func tell(_ alarm: Watcher.Alarm, _ sample: GaugeSample, isEndOfRun: Bool = false) throws {
    let trigger = watcher.triggers[alarm.trigger]
    let event = AlarmEvent(
      trigger: trigger, isRaised: alarm.isRaised, at: sample.at, value: alarm.value, forecast: alarm.forecast,
      evidence: sample.evidence, isEndOfRun: isEndOfRun)
    environment.log.notice("\(event.words)", metadata: ["evidence": "\(sample.evidence.map { "\($0)" } ?? "none")"])
    let number = writer.nextSequence
    try append(.alarm, event.encode)
    for action in trigger.actions { act(action, event, number) }
  }

  private func act(_ action: Trigger.Action, _ event: AlarmEvent, _ number: UInt64) {
    switch action {
    // The supervisor reads alarms, and a pause holds as long as the alarm.
    case .log, .notify, .pauseWindows: return
    case .hook(let path): hooks.add(path, order(event), number: number)
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
