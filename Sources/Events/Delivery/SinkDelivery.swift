import Foundation
import Host
import Synchronization

/// Sends an outbox to one sink, on a thread of its own: in its order, each event until it is taken or refused.
final class SinkDelivery: Sendable {
  /// What it shares with the thread that watches it.
  private struct Shared {
    var report: SinkReport
    var isOver = false
    var isStopping = false
    /// When the run's last event was written; nil while the run goes on.
    var endedAt: ContinuousClock.Instant?
    /// Whether records may be sent already.
    var isOpen: Bool
  }

  private let outbox: String
  private let cursorPath: String
  private let patience: Duration
  private let shared: Mutex<Shared>
  private let done = DispatchSemaphore(value: 0)

  /// After the end a sink that has taken nothing for the patience is waited for so long.
  private static let grace: Duration = .seconds(1)
  private static let (savePeriod, pollLimit) = (Duration.seconds(1), Duration.milliseconds(100))

  /// Begins to send what `folder` holds to the sink at `address`, number `number` of the run's, where its cursor is.
  /// After the run's end there is `patience` for what is left. `make` is called on the thread.
  init(
    folder: String, number: Int, address: EventAddress, patience: Duration, isOpen: Bool,
    make: @escaping @Sendable () throws -> any EventSink
  ) {
    outbox = "\(folder)/\(EventOutbox.fileName)"
    cursorPath = "\(folder)/sink-\(number).json"
    self.patience = patience
    let cursor = SinkCursor.read(cursorPath, sink: "\(address)")
    var report = SinkReport(sink: cursor.sink)
    (report.sent, report.refused) = (cursor.sent, cursor.refused)
    shared = Mutex(Shared(report: report, isOpen: isOpen))
    let thread = Thread { [self] in
      do {
        try run(make(), cursor)
      } catch {
        shared.withLock { $0.report.problem = plainText("\(error)") }
      }
      shared.withLock { $0.isOver = true }
      done.signal()
    }
    thread.name = "sink-\(number)"
    thread.start()
  }

  /// How far it is.
  var report: SinkReport { shared.withLock { $0.report } }
  /// Whether nothing more is sent.
  var isOver: Bool { shared.withLock { $0.isOver } }

  /// Lets records go.
  func open() { shared.withLock { $0.isOpen = true } }
  /// Says since when the run has been over; nil where it goes on after all.
  func end(_ time: ContinuousClock.Instant?) { shared.withLock { $0.endedAt = time } }

  /// Ends it at once, with its cursor saved; false where it does not end within the limit.
  func stop(within limit: Duration) -> Bool {
    shared.withLock { $0.isStopping = true }
    return done.wait(timeout: .now() + .milliseconds(Int(limit / .milliseconds(1)))) == .success
  }

  private func run(_ sink: any EventSink, _ start: SinkCursor) throws {
    let reader = try OutboxReader(path: outbox, offset: start.offset)
    // Of an outbox that is another one than the cursor's, all is sent.
    let cursor = reader.offset == start.offset ? start : SinkCursor(sink: start.sink)
    var window = DeliveryWindow(cursor, capacity: sink.window), saved = start, saveDue = ContinuousClock.now
    defer { if window.cursor != saved { _ = EventFile.write(window.cursor, cursorPath) } }
    while !shared.withLock({ $0.isStopping }) {
      let isOpen = shared.withLock { $0.isOpen }
      if isOpen { try window.read(reader) }
      // Nothing is left only where nothing more could be read.
      if isDone(isEmpty: isOpen && window.isEmpty, window.progress) { return }
      window.send(to: sink)
      FaultPoint.unreleased.reach()
      window.take(sink.answers(waiting: Self.pollLimit))
      publish(window.cursor, sink.problem ?? window.refusal)
      if saveDue <= .now, window.cursor != saved {
        if EventFile.write(window.cursor, cursorPath) { saved = window.cursor }
        saveDue = .now + Self.savePeriod
      }
    }
  }

  private func publish(_ cursor: SinkCursor, _ problem: String?) {
    shared.withLock { shared in
      (shared.report.sent, shared.report.refused, shared.report.problem) = (cursor.sent, cursor.refused, problem)
    }
  }

  /// Whether the run is over, and everything is settled or there is no time left.
  private func isDone(isEmpty: Bool, _ progress: ContinuousClock.Instant) -> Bool {
    guard let ended = shared.withLock({ $0.endedAt }) else { return false }
    let now = ContinuousClock.now
    return isEmpty || now >= min(ended + patience, max(ended + Self.grace, progress + patience))
  }
}
