package import Events
import Glibc
import Host
import ScanPlan

/// The work of the process that delivers a run's events, and does what is asked of the run.
package struct RunDelivery {
  private let delivery: EventDelivery
  private let signals: SignalDescriptor
  private let isOver: Bool

  /// Delivers for the run in `folder`; with `patience` its supervisor is gone, and what is left is sent within that
  /// time. To be made before any thread.
  /// - Throws: `ScanFailure` `.usage` where the run tells nobody, and what `EventDelivery` throws.
  package init(_ folder: RunFolder, patience: Duration? = nil) throws {
    signals = try SignalDescriptor(signals: [SIGTERM, SIGINT])
    let plan = try folder.readPlan()
    guard var events = try plan.scan.eventsPlan, access(folder.events, F_OK) == 0 else {
      throw ScanFailure(.usage, "the run in \(folder.path) tells nobody of itself: it was made without --events")
    }
    isOver = patience != nil
    if let patience {
      try folder.refuseIfSupervised()
      events = events.withoutCommands(patience: patience)
    }
    let requests = RunRequests(runFolder: folder)
    delivery = try EventDelivery(events, folder: folder.events, run: plan.run) { command in
      switch command.kind {
      case .finalize: try requests.finalize(by: command.by)
      case .abort: try requests.abort(by: command.by)
      }
    }
  }

  /// Works to its end, or until a signal; `tell` hears how far it is.
  package func work(tell: (EventsReport) -> Void) throws {
    FaultPoint.arm()
    var isStopped = false
    try delivery.work(
      isOver: isOver,
      isStopped: {
        // Without its signals it would not end when it is asked to.
        do { isStopped = try isStopped || signals.next() != nil } catch { isStopped = true }
        return isStopped
      }, tell: tell)
  }
}
