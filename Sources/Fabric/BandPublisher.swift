internal import CNATS
internal import Host
internal import Rings

/// The edge's end of the fabric: publishes each event once for each granule, in order. Use from one thread at a time.
///
/// It keeps no state of its own: where it is, the streams' last sequences say (F3), and each message names the sequence
/// that it expects its stream to have reached, so that the servers refuse gaps, repeats, and what a second publisher
/// sends (F2).
package final class BandPublisher {
  /// How it stands.
  package enum State: Equatable, Sendable {
    /// Messages are under way, or may be.
    case flowing
    /// Something was lost, refused, or not answered: `synchronise` comes next, after a wait.
    case interrupted(String)
  }

  /// What it has done.
  package struct Counts: Codable, Equatable, Sendable {
    /// Messages, and bytes of them, that the servers have acknowledged.
    package var (messages, bytes): (UInt64, UInt64) = (0, 0)
    /// Messages whose rows were packed, and bytes that they lost by that; each time that they were published.
    package var (packed, saved): (UInt64, UInt64) = (0, 0)
    /// Times that the streams were asked where it is, but for the first.
    package var resyncs = 0
    /// Messages that were refused, because their stream was elsewhere.
    package var refused = 0
    /// Streams that had lost what they had acknowledged, and were filled again.
    package var refilled = 0
    /// Streams in which somebody else had published, which were removed and filled again.
    package var replaced = 0
  }

  /// What a stream does not have that it should (F6).
  package enum StreamFault: Equatable, Sendable, CustomStringConvertible {
    /// It is not there any more.
    case missing(stream: String)
    /// It ends before what it has acknowledged.
    case shortened(stream: String, last: UInt64, acknowledged: UInt64)
    /// It goes on behind what was published: somebody else publishes.
    case foreign(stream: String, last: UInt64, published: UInt64)
    /// Behind the topic's last event somebody else has published, which nobody reads.
    case trailed(stream: String, more: UInt64)
    /// Messages in its middle are gone.
    case holed(stream: String, lost: UInt64)

    /// In words.
    package var description: String {
      switch self {
      case .missing(let stream): "stream \(stream) is gone"
      case .shortened(let stream, let last, let acknowledged):
        "stream \(stream) ends at \(last) and had acknowledged \(acknowledged)"
      case .foreign(let stream, let last, let published):
        "stream \(stream) has \(last) messages, of which \(published) were published here"
      case .trailed(let stream, let more):
        "stream \(stream) has \(more) messages of somebody else behind the end of the scan"
      case .holed(let stream, let lost):
        "stream \(stream) has lost \(lost) of its messages; nodes read them from the edge's journal"
      }
    }

    /// Whether publishing again mends it, where somebody else published in a stream that is made anew.
    package var isMendable: Bool {
      switch self {
      case .missing, .shortened, .foreign: true
      case .trailed, .holed: false
      }
    }
  }

  let topic: FabricTopic
  let granules: Granules
  /// What it has done.
  package internal(set) var counts = Counts()
  /// Whether rows are packed, where that makes them smaller.
  package var packs = false
  /// How it stands.
  package internal(set) var state = State.interrupted("it was not asked where the streams are")

  let connection: FabricConnection
  let streams: BandStreams
  let rules: FabricRules
  let epoch: UInt32
  private let byteCountMax: UInt64
  private let messageByteCountMax: Int
  private let replicas: Int
  private let silence: StreamSilence
  private let buffer: UnsafeMutableRawBufferPointer
  let inbox: FabricInbox
  /// Of each granule, the next event to publish.
  var next: [UInt64]
  /// Of each granule, events below it are acknowledged.
  var acked: [UInt64]
  var window = PublishWindow()
  /// The topic's last event, once that is known: what streams have behind it matters to nobody.
  package var end: UInt64?
  /// Of each granule, events below it in its stream are the edge's as far as this process knows; nil before it knows.
  package internal(set) var proven: [UInt64]?
  /// Events that streams had before `synchronise`, and that may be somebody else's.
  private(set) var doubts: [(granule: Int, sequence: UInt64)] = []
  /// Answers to what was published before the last `synchronise` say nothing any more.
  var generation: UInt64 = 0
  /// Whether the streams were asked before.
  package private(set) var hasBegun = false
  private let subjects: [String]
  /// Of each granule, whether packing is worth its time.
  private var trials: [PackingTrial]

  /// A publisher of a run's topic. `eventsMax` and `messageByteCountMax` tell how much room each stream needs;
  /// `proven` and `silence` are what one before it in this process knew, and `replicas` how many servers keep a stream.
  package init(
    _ connection: FabricConnection, topic: FabricTopic, granules: Granules, eventsMax: UInt64,
    messageByteCountMax: Int, proven: [UInt64]? = nil, silence: StreamSilence = StreamSilence(), replicas: Int = 1,
    rules: FabricRules = FabricRules()
  ) throws(FabricError) {
    precondition((BandMessage.headByteCount...BandMessage.byteCountMax).contains(messageByteCountMax) && replicas > 0)
    (self.connection, self.topic, self.granules, self.replicas) = (connection, topic, granules, replicas)
    (self.messageByteCountMax, self.proven, self.silence) = (messageByteCountMax, proven, silence)
    self.rules = rules
    streams = try BandStreams(connection, topic: topic, granules: granules)
    inbox = try FabricInbox(connection)
    let messageByteCount = UInt64(messageByteCountMax + EventHeader.metadataCapacity + 256)
    byteCountMax = (eventsMax + 1) * messageByteCount
    epoch = UInt32(truncatingIfNeeded: Machine.realtimeNanoseconds / 1_000_000_000)
    buffer = .allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    next = Array(repeating: 0, count: granules.count)
    acked = next
    subjects = (0..<granules.count).map(topic.subject)
    trials = Array(repeating: PackingTrial(), count: granules.count)
  }

  deinit { buffer.deallocate() }

  /// Events below it are acknowledged by every stream.
  package var acknowledged: UInt64 { acked.min() ?? 0 }

  /// Events below it were published for every granule.
  package var published: UInt64 { next.min() ?? 0 }

  /// Bytes that are under way.
  package var inFlight: Int { window.inFlight }

  /// Asks the streams where they are, and makes those that are missing; gives the next event that some stream lacks.
  package func synchronise() throws(FabricError) -> UInt64 {
    if hasBegun {
      counts.resyncs += 1
      guard rules.asksStreams else {
        resume(at: next)
        return published
      }
    }
    var states = try streams.states(silent: replace)
    let missing = states.indices.filter { states[$0] == nil }
    if !missing.isEmpty {
      let made = try streams.make(missing, byteCountMax: byteCountMax, replicas: replicas)
      for (granule, state) in zip(missing, made) { states[granule] = state }
    }
    let past = end.map { $0 + 1 } ?? .max
    let found = states.map { min($0?.last ?? 0, past) }
    doubts = rules.comparesStreams ? found.indices.flatMap { doubts(in: $0, through: found[$0]) } : []
    if hasBegun { counts.refilled += zip(found, acked).count { $0 < $1 } }
    resume(at: found)
    return published
  }

  /// Removes streams of which nobody has said anything for too long while servers answer otherwise: the one that has
  /// them is away. They are missing then, and made anew where there are servers.
  private func replace(_ silent: [Int]) throws(FabricError) {
    let lost = silence.note(silent)
    guard !lost.isEmpty, try streams.isBucketServed() else { return }
    silence.move(lost, lost.map(topic.stream))
    // The server that should answer is away.
    do throws(FabricError) { try streams.remove(lost) } catch {
      guard case .timedOut = error else { throw error }
    }
  }

  /// Unacknowledged messages of a stream that are compared: where somebody else came between, it is the first of these.
  private static let doubtsMax: UInt64 = 16

  /// The events of a stream, which has those below `last`, that somebody else may have published.
  private func doubts(in granule: Int, through last: UInt64) -> [(granule: Int, sequence: UInt64)] {
    guard last > 0 else { return [] }
    let first = min(proven?[granule] ?? last, last)
    let unknown = first..<min(last, first + Self.doubtsMax)
    return (unknown.contains(last - 1) ? Array(unknown) : unknown + [last - 1]).map { (granule, $0) }
  }

  /// Messages that are asked for at a time, and about how many bytes: they come back over the link that is slow.
  private static let compared = (messages: 8, byteCount: 1 << 20)

  /// Compares what streams had, right behind `synchronise`, with the edge's events, of which there are those below
  /// `count`: a stream with something else is removed, and `synchronise` is due again. `event` gives one; nil for one
  /// that cannot be compared.
  package func compare(
    below count: UInt64, _ event: (UInt64) throws -> EdgeEvent?
  ) throws {
    var foreign: Set<Int> = []
    while !doubts.isEmpty {
      let some = doubts.prefix(min(max(1, Self.compared.byteCount / messageByteCountMax), Self.compared.messages))
      for (doubt, bytes) in zip(some, try streams.messages(some)) {
        // Where it is gone it is a hole, which nodes read from the edge.
        guard let bytes else { continue }
        guard doubt.sequence < count else {
          foreign.insert(doubt.granule)
          continue
        }
        if let own = try event(doubt.sequence), try !isSame(bytes, own, doubt.granule) { foreign.insert(doubt.granule) }
      }
      doubts.removeFirst(some.count)
    }
    guard let first = foreign.min() else {
      proven = next
      return
    }
    state = .interrupted("somebody else has published in stream \(topic.stream(first)), which is filled again")
    // What such a stream had acknowledged says nothing.
    for granule in foreign { (next[granule], acked[granule]) = (0, 0) }
    try streams.remove(foreign.sorted())
    counts.replaced += foreign.count
  }

  /// Whether a message is the one that is published here, but for who published it.
  private func isSame(
    _ bytes: [UInt8], _ own: EdgeEvent, _ granule: Int
  ) throws(FabricError) -> Bool {
    guard let epoch = BandMessage.epoch(of: bytes) else { return false }
    let encoded = try BandMessage.encode(
      own.event, metadata: own.metadata, interval: own.interval, granule: granule, in: granules, epoch: epoch,
      into: buffer)
    if encoded.elementsEqual(bytes) { return true }
    // Packed rows may be written in other bytes by another version of the library: what they unpack to is compared.
    return bytes.withUnsafeBytes { bytes in
      guard var theirs = try? BandMessage(bytes, of: topic, granule: granule, in: granules, owner: nil),
        let ours = try? BandMessage(encoded, of: topic, granule: granule, in: granules, owner: nil),
        theirs.band.codec != .none, theirs.header == ours.header, theirs.band.interval == ours.band.interval,
        theirs.metadata.elementsEqual(ours.metadata), (try? theirs.unpack()) != nil
      else { return false }
      return theirs.payload.elementsEqual(ours.payload)
    }
  }

  private func resume(at sequences: [UInt64]) {
    (next, acked, hasBegun) = (sequences, sequences, true)
    generation += 1
    window.clear(granules: granules.count)
    state = .flowing
  }

  /// Publishes an event for each granule that lacks it: the one that `published` names. `taken` is called as soon as
  /// the event's bytes are not needed any more, before anything is waited for. Gives how it stands: where it was
  /// interrupted, some granules may lack the event.
  package func publish(
    _ edge: EdgeEvent, taken: () throws -> Void = {}
  ) throws -> State {
    let sequence = edge.event.header.sequence
    precondition(next.allSatisfy { $0 >= sequence }, "event \(sequence) follows \(published)")
    var prepared: [(granule: Int, message: OpaquePointer, byteCount: Int)] = []
    defer { prepared.forEach { natsMsg_Destroy($0.message) } }
    for granule in next.indices where next[granule] == sequence {
      let (message, byteCount) = try prepare(edge, granule)
      prepared.append((granule, message, byteCount))
    }
    try taken()
    for (granule, message, byteCount) in prepared {
      guard try awaitRoom(byteCount) == .flowing else { break }
      let status = natsConnection_PublishMsg(connection.handle, message)
      guard status == NATS_OK else {
        state = .interrupted("publishing failed: \(String(cString: natsStatus_GetText(status)))")
        break
      }
      window.sent(granule, sequence, byteCount)
      next[granule] = sequence + 1
    }
    return state
  }

  /// The message of a granule, in memory of the library.
  private func prepare(_ edge: EdgeEvent, _ granule: Int) throws(FabricError) -> (OpaquePointer, Int) {
    let encoded = try encode(edge, granule)
    var message: OpaquePointer?
    let sequence = edge.event.header.sequence, reply = "\(inbox.prefix).\(generation).\(granule).\(sequence)"
    let status = natsMsg_Create(
      &message, subjects[granule], reply, encoded.baseAddress?.assumingMemoryBound(to: CChar.self),
      Int32(encoded.count))
    guard status == NATS_OK, let message else { throw .refused(what: "a message", reason: "no memory") }
    if rules.expectsSequence {
      natsMsgHeader_Set(message, "Nats-Expected-Last-Sequence", "\(sequence)")
    }
    natsMsgHeader_Set(message, "Slipring-Epoch", "\(epoch)")
    return (message, encoded.count)
  }

  /// The same in `buffer`.
  private func encode(_ edge: EdgeEvent, _ granule: Int) throws(FabricError) -> UnsafeRawBufferPointer {
    let event = edge.event, packs = packs && event.header.rows > 0 && trials[granule].isDue()
    let encoded = try BandMessage.encode(
      event, metadata: edge.metadata, interval: edge.interval, granule: granule, in: granules, epoch: epoch,
      packs: packs, into: buffer)
    guard packs else { return encoded }
    let plain = event.payload.count / granules.rows * granules[granule].count
    let metadataByteCount = edge.metadata?.count ?? event.metadata.count
    let stored = encoded.count - BandMessage.headByteCount - metadataByteCount
    trials[granule].note(plain: plain, stored: stored)
    if stored < plain {
      counts.packed += 1
      counts.saved += UInt64(plain - stored)
    }
    return encoded
  }
}
