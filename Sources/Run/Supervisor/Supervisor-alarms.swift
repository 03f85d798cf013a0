import Alarms
import Glibc
import Host
import Logging
import Rings
import RunModel
import ScanPlan
import Stages

// What the supervisor does with the run's figures, and with what triggers say of them.
extension Supervisor {
  /// A stage that the run does without has so long to end when all others have: programs of triggers have two seconds.
  private static let optionalLimit: Duration = .seconds(3)
  private static let optionalKillLimit: Duration = .seconds(5)

  /// Looks at what stages say that the run does without.
  func watchOptional(_ regions: RunRegions, _ status: inout RunStatus) {
    watchAlarms(regions, &status)
    watchViews(regions, &status)
  }

  /// Tells what it alone knows, tells people of new alarms, and fills figures and alarms in.
  private func watchAlarms(_ regions: RunRegions, _ status: inout RunStatus) {
    guard let gauges = regions.gauges else { return }
    gauges.supervised = (
      UInt64(status.stages.reduce(0) { $0 + $1.restarts }), UInt64(status.withoutRoom.count)
    )
    if gauges.looks > 0 {
      status.gauges = Dictionary(
        uniqueKeysWithValues: Gauge.allCases.compactMap { gauge in gauges.value(gauge).map { (gauge.rawValue, $0) } })
    }
    readAlarms(regions)
    status.alarms = alarms.isEmpty ? nil : alarms.values.sorted { $0.trigger < $1.trigger }
  }

  /// Events that are read at a time; more are read at the next turn.
  private static let alarmsAtOnce: UInt64 = 64

  private func readAlarms(_ regions: RunRegions) {
    guard let ring = regions.rings[.alarms] else { return }
    let (observer, published) = (RingObserver(ring: ring), ring.progress.published)
    let position = alarmsRead ?? ring.specification.firstSequence
    let end = min(published, position + Self.alarmsAtOnce)
    for sequence in position..<max(position, end) {
      guard let (header, metadata) = try? observer.event(at: sequence), header.kind == .alarm,
        let event = metadata.withUnsafeBytes({ try? AlarmEvent(decoding: $0) })
      else { continue }
      take(event)
    }
    alarmsRead = max(position, end)
  }

  private func take(_ event: AlarmEvent) {
    let trigger = event.trigger
    guard trigger.actions.contains(.notify) || trigger.severity == .critical else { return }
    let count = (alarms[trigger.name]?.count ?? 0) + (event.isRaised ? 1 : 0)
    alarms[trigger.name] = RunStatus.AlarmStatus(
      trigger: trigger.name, severity: trigger.severity.rawValue, isRaised: event.isRaised, count: count,
      time: Double(event.at) / 1e9, text: event.words)
    log.warning("\(event.words)", metadata: ["severity": "\(trigger.severity.rawValue)"])
    monitor.alarm(.trigger, event.words)
  }

  /// What is told of triggers of a person's own that had nothing to look at, at the end of the run; nil for nothing.
  func unseenTriggers(_ regions: RunRegions) -> [String]? {
    guard let watching = plan.watching, let gauges = regions.gauges, gauges.looks > 0 else { return nil }
    var unseen = Set(Gauge.allCases.filter { gauges.value($0) == nil })
    if !unseen.isEmpty, (regions.rings[.alarms]?.specification.firstSequence ?? 0) > 0 {
      // The time before the run was resumed counts.
      do { unseen.subtract(try RunGauges(folder).seen()) } catch {
        log.warning("what was seen before is not known: \(error)")
        return nil
      }
    }
    let words = watching.unwatched + watching.unseen { !unseen.contains($0) }
    return words.isEmpty ? nil : words
  }

  /// Whether all stages are over that the run needs.
  var areNeededOver: Bool { stages.allSatisfy { $0.isOver || $0.isOptional } }

  /// Ends the stages that the run does without; one that does not end is killed, and no reason to fail.
  func endOptional() throws {
    for stage in stages where stage.isOptional && stage.isRunning { try stage.process.signal(SIGTERM) }
    let deadline = ContinuousClock.now + Self.optionalLimit
    for index in stages.indices where stages[index].isOptional && stages[index].isRunning {
      let stage = stages[index]
      guard !stage.isUnkillable else { continue }
      if try stage.process.waitForExit(timeout: max(.zero, deadline - .now)) == nil {
        log.warning("killed \(stage.stage), which did not end")
        try stage.process.signal(SIGKILL)
        _ = try stage.process.waitForExit(timeout: Self.optionalKillLimit)
      }
      _ = try stages[index].reap()
    }
  }

  /// Goes on without an optional stage; false for one that the run needs.
  func isDoneWithout(_ index: Int, _ why: String) -> Bool {
    guard stages[index].isOptional else { return false }
    let stage = stages[index].stage
    stages[index].abandon()
    log.warning("gave \(stage) up", metadata: ["reason": "\(why)"])
    monitor.alarm(.restart, "stage \(stage) \(why): the run goes on without it")
    return true
  }
}
