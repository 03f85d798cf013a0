import Events
import Host
import Logging
import RunModel
import ScanPlan

/// Tells the world beyond the machine what becomes of a run: writes it to the run's outbox, and has a process deliver
/// that. It is part of the supervisor, because only that knows the status, what people are warned of, and the result;
/// the process is no stage of the run, because it goes on when the stages and their memory are gone.
final class RunEvents: RunMonitor {
  private let plan: RunPlan
  private let eventsPlan: EventsPlan
  private let outbox: EventOutbox
  private let process: EventsProcess
  private let log: Logger
  private let people: any RunMonitor
  private var view: RunView?
  /// The next score.
  private var position: UInt64
  private var statusDue = ContinuousClock.now
  private var losses: LossesBody?
  private var (lostKnown, lostDue) = (0, ContinuousClock.now)
  private var alarms = 0
  /// Sinks of which people know that something is wrong.
  private var told: Set<String> = []

  private static let (statusPeriod, lostPeriod) = (Duration.seconds(1), Duration.seconds(10))
  private static let (alarmsMax, textMax) = (10_000, 4096)
  /// What the process takes to end after the patience.
  private static let (endLimit, interruptLimit) = (Duration.seconds(5), Duration.seconds(1))

  /// Begins to tell of a run, where its plan says whom. A run goes on without: where the outbox cannot be had, `people`
  /// hear why.
  static func begin(_ plan: RunPlan, _ folder: RunFolder, executable: String, people: any RunMonitor) -> RunEvents? {
    do {
      guard let eventsPlan = try plan.scan.eventsPlan else { return nil }
      try RunFolder.makeFolder(folder.events, for: .owner)
      // Nobody delivers yet: these are of processes that died.
      try removeTemporaryFiles(in: folder.events, ofProcess: nil)
      return try RunEvents(plan, eventsPlan, folder, executable: executable, people: people)
    } catch {
      people.notice("no events are sent: \(ScanFailure(error))")
      return nil
    }
  }

  private init(
    _ plan: RunPlan, _ eventsPlan: EventsPlan, _ folder: RunFolder, executable: String, people: any RunMonitor
  ) throws {
    (self.plan, self.eventsPlan, self.people) = (plan, eventsPlan, people)
    log = Log.supervisor(plan, folder: folder)
    outbox = try EventOutbox(folder: folder.events, run: plan.run)
    position = outbox.lastSource.map { $0 + 1 } ?? 0
    process = try EventsProcess(executable: executable, folder: folder, log: log)
    outbox.append(.runs, RunsBody(event: .started, plan: PlanFacts(plan)))
    process.look()
  }

  /// How far the sinks are.
  var report: EventsReport {
    var report = process.report ?? EventsReport(eventsPlan.addresses)
    report.dropped = outbox.dropped > 0 ? outbox.dropped : nil
    for index in report.sinks.indices {
      let sink = report.sinks[index]
      report.sinks[index].pending = max(0, outbox.count - sink.sent - sink.refused)
      if process.isOver, report.sinks[index].pending > 0, sink.problem == nil {
        report.sinks[index].problem = "no time was left, or the process that sends has ended"
      }
    }
    return report
  }

  func began(_ view: RunView) { self.view = view }

  /// What is no warning is for the person who sees the run only.
  func notice(_ text: String) {}

  func alarm(_ kind: AlarmKind, _ text: String) {
    alarms += 1
    guard alarms <= Self.alarmsMax else { return }
    outbox.append(.alarms, AlarmsBody(kind: kind, text: String(text.prefix(Self.textMax))))
  }

  func progress(_ status: RunStatus) {
    process.look()
    tellPeople()
    addScores()
    watchLosses(status)
    guard statusDue <= .now || status.phase == .finished || status.phase == .failed else { return }
    statusDue = .now + Self.statusPeriod
    outbox.writeWaiting()
    outbox.append(.status, StatusBody(status))
  }

  private func addScores() {
    guard let view else { return }
    for (sequence, score) in view.scores(behind: &position) {
      outbox.append(.scores, ScoresBody(score, source: sequence))
    }
  }

  private func watchLosses(_ status: RunStatus) {
    guard let counts = status.losses, statusDue <= .now || status.phase == .finished else { return }
    let body = LossesBody(losses: counts, faults: status.faults ?? [])
    guard body != losses else { return }
    losses = body
    outbox.append(.losses, body)
    guard counts.lost > lostKnown, lostDue <= .now || status.phase == .finished else { return }
    (lostKnown, lostDue) = (counts.lost, .now + Self.lostPeriod)
    alarm(.lost, "\(counts.lost) frames of the source never came")
  }

  /// Says once of each sink that nothing goes there.
  private func tellPeople() {
    for sink in process.report?.sinks ?? [] {
      guard let problem = sink.problem, told.insert(sink.sink).inserted else { continue }
      let words = sink.refused > 0 ? "refused" : "not sent now"
      say("events to \(sink.sink) are \(words): \(problem); the run goes on, and what waits is tried again")
    }
    guard let problem = process.report?.commandsProblem, told.insert("commands").inserted else { return }
    say("commands cannot be read: \(problem); the run goes on, and it is tried again")
  }

  private func say(_ line: String) {
    log.warning("\(line)")
    people.notice(line)
  }

  /// Tells the run's end, and waits for the sinks as long as they may have, or until `isStopped`; how far they are.
  func end(_ result: RunResult?, _ failure: (any Error)?, isStopped: () -> Bool) -> EventsReport {
    if let warning = result?.axisWarning { alarm(.axis, warning) }
    view = nil
    appendEnd(result, failure)
    // Who interrupts the program waits for its end.
    let isInterrupt = (failure as? StageFailure)?.isInterrupt == true
    process.finish(
      within: isInterrupt ? Self.interruptLimit : eventsPlan.patience + Self.endLimit, isStopped: isStopped)
    tellPeople()
    let report = report
    for sink in report.sinks where sink.pending > 0 || sink.refused > 0 {
      say(
        "events to \(sink.sink): \(sink.sent) sent, \(sink.pending) not sent, \(sink.refused) refused"
          + (sink.problem.map { " (\($0))" } ?? "")
          + (sink.pending > 0 && plan.scan.retain != .none
            ? "; slipring deliver \(plan.scan.runFolder ?? "") sends them later" : ""))
    }
    return report
  }

  /// A result may have long lists: of what is too much for a record there is the beginning.
  private func appendEnd(_ result: RunResult?, _ failure: (any Error)?) {
    let words = failure.map { ScanFailure($0).description }
    let code = (failure as? StageFailure)?.exitCode ?? failure.map { ScanFailure($0).exitCode } ?? 0
    func body(_ result: RunResult?) -> RunsBody {
      RunsBody(event: .ended, result: result, failure: words.map { String($0.prefix(Self.textMax)) }, exitCode: code)
    }
    for kept in [Int.max, 100, 10, 0] {
      var short = result
      short?.outputs = Array((result?.outputs ?? []).prefix(kept))
      short?.emptyFrames = Array((result?.emptyFrames ?? []).prefix(kept))
      short?.inputNotices = Array((result?.inputNotices ?? []).prefix(kept))
      if outbox.append(.runs, body(short)) { return }
    }
    outbox.append(.runs, body(nil))
  }
}

extension SignalDescriptor {
  /// Whether a signal came; who cannot know it does not wait.
  func isPending() -> Bool { do { return try next() != nil } catch { return true } }
}
