import Foundation
import Glibc
import Host
import Logging

/// Tells the service manager, where one started the run, how the supervisor is. It is fed by the supervisor's loop: a
/// supervisor that hangs is silent, and the manager's watchdog ends it.
struct ServiceReports {
  private let manager: ServiceManager?
  private let period: Duration
  private let log: Logger
  private var isReady = false
  private var hasFailed = false
  private var due = ContinuousClock.now

  /// A status is told this often; a watchdog at least three times in its period.
  private static let statusPeriod: Duration = .seconds(1)

  init(log: Logger) {
    manager = ServiceManager(environment: ProcessInfo.processInfo.environment, processID: getpid())
    period = manager?.watchdogPeriod.map { min($0 / 3, Self.statusPeriod) } ?? Self.statusPeriod
    self.log = log
  }

  /// Called in every turn of the loop, once the stages are started.
  mutating func turn(_ status: RunStatus) {
    guard let manager, ContinuousClock.now >= due else { return }
    due = .now + period
    let (text, isReady) = (ServiceManager.Message.status(Self.text(status)), isReady)
    note(
      Self.failure { () throws(HostError) in
        try isReady ? manager.tell(.alive, text) : manager.tell(.ready, .alive, text)
      })
    self.isReady = true
  }

  /// The run ends, or was asked to.
  mutating func stopping(_ reason: String) {
    guard let manager else { return }
    note(Self.failure { () throws(HostError) in try manager.tell(.stopping, .status(reason)) })
  }

  private static func failure(_ body: () throws(HostError) -> Void) -> HostError? {
    do { try body() } catch { return error }
    return nil
  }

  /// A manager that does not listen is no reason to stop a scan; it is told of once.
  private mutating func note(_ failure: HostError?) {
    guard let failure, !hasFailed else { return }
    hasFailed = true
    log.warning("the service manager cannot be told how the run is", metadata: ["reason": "\(failure)"])
  }

  private static func text(_ status: RunStatus) -> String {
    "\(status.phase.rawValue): projection \(status.acquired)/\(status.projections), "
      + "update \(status.updates)/\(status.updatesExpected), lag \(status.lag), "
      + "\(status.stages.reduce(0) { $0 + $1.restarts }) restarts"
      + (status.alarms ?? []).filter(\.isRaised).map { ", \($0.trigger)" }.joined()
      + (status.withoutRoom.isEmpty ? "" : ", no room on disk for \(status.withoutRoom.joined(separator: ", "))")
  }
}
