/// The events of an outbox that a sink has not settled yet, in their order.
///
/// ```
///  taken or refused        on their way, or to be sent again        not read
/// ───────────────────────┬────────────────────────────────────────┬─────────►
///                     cursor                                  reader
/// ```
struct DeliveryWindow {
  /// Up to where everything is settled.
  private(set) var cursor: SinkCursor
  /// When the sink last settled an event, or had none to settle.
  private(set) var progress = ContinuousClock.now
  /// Why the sink refused an event, the last time; nil for never.
  private(set) var refusal: String?
  private let capacity: Int
  private var events: [Int: OpenEvent] = [:]
  /// Numbers of the first one that is not settled, and behind the last one.
  private var (first, end) = (0, 0)

  private struct OpenEvent {
    /// Nil for a damaged line.
    let record: EventRecord?
    /// Where the next line of the outbox is.
    let next: Int
    /// When it is sent, again; nil while it is on its way.
    var due: ContinuousClock.Instant?
    /// Whether the sink has it, or will never; nil while that is open.
    var isTaken: Bool?
  }

  private static let retryDelay: Duration = .seconds(1)

  /// A window of so many events behind a cursor.
  init(_ cursor: SinkCursor, capacity: Int) {
    precondition(capacity > 0, "a window of \(capacity)")
    (self.cursor, self.capacity) = (cursor, capacity)
  }

  /// Whether every event that was read is settled.
  var isEmpty: Bool { events.isEmpty }

  /// Reads as many events as there is room for.
  mutating func read(_ reader: OutboxReader) throws {
    while events.count < capacity, let line = try reader.next() {
      if events.isEmpty { progress = .now }
      let event =
        switch line {
        case .record(let record): OpenEvent(record: record, next: reader.offset, due: .now)
        case .damaged: OpenEvent(record: nil, next: reader.offset, isTaken: false)
        }
      events[end] = event
      end += 1
    }
  }

  /// Sends what is due, as long as the sink takes it.
  mutating func send(to sink: any EventSink) {
    for number in first..<end where events[number]?.due.map({ $0 <= .now }) == true {
      guard let record = events[number]?.record, sink.send(record, number: number) else { return }
      events[number]?.due = nil
    }
  }

  /// Takes note of answers, and moves the cursor as far as everything is settled.
  mutating func take(_ answers: [SinkAnswer]) {
    for answer in answers {
      switch answer.verdict {
      case .taken: settle(answer.number, isTaken: true)
      case .refused(let words):
        settle(answer.number, isTaken: false)
        refusal = words
      case .later: events[answer.number]?.due = .now + Self.retryDelay
      }
    }
    while let event = events[first], let isTaken = event.isTaken {
      cursor.offset = event.next
      if isTaken { cursor.sent += 1 } else { cursor.refused += 1 }
      events[first] = nil
      first += 1
    }
  }

  private mutating func settle(_ number: Int, isTaken: Bool) {
    events[number]?.isTaken = isTaken
    progress = .now
  }
}
