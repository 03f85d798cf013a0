internal import Host
package import Rings

/// One event, with the rows that a node takes of it.
package struct Bands {
  /// The edge's header: of the whole image.
  package let header: EventHeader
  /// The edge's metadata.
  package let metadata: [UInt8]
  /// How far apart updates are from this image on; 0 where all are made.
  package let interval: UInt16
  /// The messages of the granules, in the order of their rows.
  private let messages: [BandMessage]

  init(_ messages: [BandMessage]) {
    precondition(!messages.isEmpty, "an event of no granules")
    (header, self.messages) = (messages[0].header, messages)
    metadata = [UInt8](messages[0].metadata)
    interval = messages[0].band.interval
  }

  /// Whether its granules say the same of updates.
  package var isAgreed: Bool { messages.allSatisfy { $0.band.interval == interval } }

  /// Bytes of all rows.
  package var byteCount: Int { messages.reduce(0) { $0 + $1.payload.count } }

  /// Writes the rows, one after the other, into exactly as many bytes.
  package func copy(into buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count == byteCount, "\(byteCount) B into \(buffer.count) B")
    var offset = 0
    for message in messages {
      UnsafeMutableRawBufferPointer(rebasing: buffer[offset...].prefix(message.payload.count))
        .copyMemory(from: message.payload)
      offset += message.payload.count
    }
  }
}

/// A node's end of the fabric: every event of a topic, with the rows of some consecutive granules, dense and in order.
/// Use from one thread at a time.
///
/// Where it is, its owner knows (F7). What a stream does not have, or has with damage, it asks the edge for (F4, F5).
package final class BandReader {
  /// What it met.
  struct Counts: Equatable, Sendable {
    /// Messages that the edge was asked for.
    var replayed = 0
    /// Messages that came before, and were dropped.
    var repeated = 0
    /// Messages that were no messages of their granule, by what was wrong, and were dropped.
    var damaged = 0
    /// Times that a stream was read anew, but for the first.
    var reopened = 0
  }

  let topic: FabricTopic
  let granules: Granules
  let rules: FabricRules
  let connection: FabricConnection
  let inbox: FabricInbox
  /// What it met.
  var counts = Counts()
  /// What was wrong with the newest damaged message.
  var newestFault: BandMessage.Fault?
  /// When a server, or the edge, was last heard of.
  var heard = ContinuousClock.now
  /// What the servers last refused, in a line; nil for nothing.
  package internal(set) var refusal: FabricError?
  var lanes: [BandLane]
  /// The places of the lanes by the subjects of their granules.
  private let places: [String: Int]
  var asked: UInt64 = 0
  /// The next event.
  private(set) var next: UInt64
  private var tended = ContinuousClock.now

  private static let tendInterval: Duration = .milliseconds(50)

  /// Reads `taking` of the topic's granules from event `next` on. About `byteCountMax` bytes wait here at most, but one
  /// message of each granule.
  package init(
    _ connection: FabricConnection, topic: FabricTopic, granules: Granules, taking: Range<Int>, next: UInt64,
    byteCountMax: Int = 32 << 20, rules: FabricRules = FabricRules()
  ) throws(FabricError) {
    precondition(!taking.isEmpty && taking.lowerBound >= 0 && taking.upperBound <= granules.count, "granules \(taking)")
    (self.connection, self.topic, self.granules, self.rules, self.next) = (connection, topic, granules, rules, next)
    inbox = try FabricInbox(connection)
    let share = max(BandMessage.byteCountMax + 64 << 10, byteCountMax / taking.count / 2)
    places = Dictionary(uniqueKeysWithValues: taking.map { (topic.subject($0), $0 - taking.lowerBound) })
    lanes = taking.map { BandLane(granule: $0, next: next, byteCountMax: share, rules: rules) }
    lanes.indices.forEach(tend)
  }

  /// Whether a server answers at present.
  package var isConnected: Bool { connection.isConnected }

  /// Whether the next event is missing in a stream that goes on behind it, or was asked of the edge in vain: only the
  /// edge has it.
  package var isHoled: Bool {
    lanes.contains { lane in
      lane.held[next] == nil && (!lane.held.isEmpty || lane.replay != nil || lane.replaying.failures > 0)
    }
  }

  /// The next event, for which it waits up to `timeout`.
  package func next(timeout: Duration) throws(FabricError) -> Bands? {
    let deadline = Deadline(after: timeout)
    while true {
      if ContinuousClock.now - tended >= Self.tendInterval {
        tended = .now
        lanes.indices.forEach(tend)
      }
      if let bands = try whole() { return bands }
      let wait = min(deadline.remaining, Self.tendInterval), unanswered = inbox.unanswered
      guard let message = try inbox.next(timeout: wait) else {
        if inbox.unanswered > unanswered { noteNobody() }
        if deadline.hasPassed { return nil }
        continue
      }
      take(message)
    }
  }

  /// The next event where all of its granules are here.
  private func whole() throws(FabricError) -> Bands? {
    guard lanes.allSatisfy({ $0.held[next] != nil }) else { return nil }
    for lane in lanes.indices {
      do throws(BandMessage.Fault) { try lanes[lane].unpack(rules: rules) } catch { noteDamage(error, lane) }
    }
    guard lanes.allSatisfy({ $0.held[next] != nil }) else { return nil }
    let bands = Bands(lanes.indices.compactMap { lanes[$0].give(next) })
    for lane in lanes.indices where lanes[lane].wantsMore { tend(lane) }
    next += 1
    return bands
  }

  private func take(_ message: FabricMessage) {
    // What was stored keeps its subject, wherever it is sent to.
    if let place = places[message.subject] {
      noteDelivered(message, place)
      return tend(place)
    }
    let tokens = inbox.tokens(message)
    guard tokens.count == 3, let place = Int(tokens[1]), lanes.indices.contains(place), let number = UInt64(tokens[2])
    else { return }
    switch tokens[0] {
    case "c": noteConsumer(message, place, number)
    case "p": noteStatus(message, place, number)
    case "i": noteState(message, place, number)
    case "r": noteReplayed(message, place, number)
    default: return
    }
    tend(place)
  }
}
