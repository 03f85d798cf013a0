/// Somebody who takes events. Use from one thread.
protocol EventSink: AnyObject {
  /// Records that may be on their way at the same time.
  var window: Int { get }
  /// What is wrong at present, in words; nil for nothing.
  var problem: String? { get }
  /// Sends a record, whose answer comes with `number`. False where it cannot be taken now.
  func send(_ record: EventRecord, number: Int) -> Bool
  /// Answers that came; waits for the first one so long.
  func answers(waiting limit: Duration) -> [SinkAnswer]
}

/// What became of a record.
struct SinkAnswer {
  /// What a sink says.
  enum Verdict {
    /// It has the record for good.
    case taken
    /// It will never take it, for this reason.
    case refused(String)
    /// It did not take it now.
    case later
  }

  let number: Int
  let verdict: Verdict
}

/// How far a sink is: in the status and the result of a run.
package struct SinkReport: Codable, Equatable, Sendable {
  /// Its address.
  package var sink: String
  /// Events that it has acknowledged.
  package var sent = 0
  /// Events that are to be sent yet.
  package var pending = 0
  /// Events that it will never take.
  package var refused = 0
  /// Why nothing is sent at present, or what was refused last; nil for nothing.
  package var problem: String?

  /// A sink to which nothing was sent.
  init(sink: String) { self.sink = sink }
}

/// How far all of them are.
package struct EventsReport: Codable, Equatable, Sendable {
  /// In the order in which they were named.
  package var sinks: [SinkReport]
  /// Commands that were obeyed; nil where none are accepted.
  package var commands: Int?
  /// Commands that were not, and what was no command.
  package var commandsRefused: Int?
  /// Why no commands come; nil for nothing.
  package var commandsProblem: String?
  /// Events that were left out, as there were too many; nil for none.
  package var dropped: Int?

  /// Of sinks to which nothing was sent.
  package init(_ addresses: [EventAddress]) { sinks = addresses.map { SinkReport(sink: "\($0)") } }
}
