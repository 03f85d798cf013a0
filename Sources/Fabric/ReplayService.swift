internal import CNATS
internal import Host

/// Answers at the edge to nodes that ask for events that their streams do not have (F4): from the edge's journal. A
/// request is `{first u64, end u64}`; each event of it that there is becomes one message. Use from one thread at a
/// time.
package final class ReplayService {
  /// Messages that were sent.
  package private(set) var served: UInt64 = 0
  /// Requests that were none.
  private(set) var malformed: UInt64 = 0
  /// Whether rows are packed.
  package var packs = false
  private let connection: FabricConnection
  private let topic: FabricTopic
  private let granules: Granules
  private let inbox: FabricInbox
  private let event: (UInt64, Range<Int>) throws -> EdgeEvent?
  private let buffer: UnsafeMutableRawBufferPointer
  private let epoch: UInt32

  /// Events that one request gives at most.
  static let eventsMax: UInt64 = 64
  static let requestByteCount = 16

  /// Answers with what `event` gives for a sequence and some rows of its image; nil for an event that is not there
  /// (yet).
  package init(
    _ connection: FabricConnection, topic: FabricTopic, granules: Granules,
    event: @escaping (UInt64, Range<Int>) throws -> EdgeEvent?
  ) throws(FabricError) {
    (self.connection, self.topic, self.granules, self.event) = (connection, topic, granules, event)
    inbox = try FabricInbox(connection, subject: topic.replays)
    buffer = .allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    epoch = UInt32(truncatingIfNeeded: Machine.realtimeNanoseconds / 1_000_000_000)
  }

  deinit { buffer.deallocate() }

  /// What is left of a request.
  private struct Rest {
    let granule: Int
    var sequences: Range<UInt64>
    let reply: String
  }

  private var rest: Rest?

  /// Answers one request, for which it waits up to `timeout`, or goes on with the one before: until so many bytes were
  /// sent, and one message at least. Gives the bytes; nil where nobody asks for anything.
  @discardableResult
  package func serve(timeout: Duration, byteCountMax: Int = .max) throws -> Int? {
    if rest == nil {
      guard let message = try inbox.next(timeout: timeout) else { return nil }
      rest = request(in: message)
    }
    guard let (granule, reply) = rest.map({ ($0.granule, $0.reply) }) else { return 0 }
    var sent = 0
    while sent < byteCountMax, let sequence = rest?.sequences.first {
      guard let found = try event(sequence, granules[granule]), let byteCount = try send(found, granule, to: reply)
      else {
        rest = nil
        break
      }
      sent += byteCount
      rest?.sequences.removeFirst()
    }
    if rest?.sequences.isEmpty == true { rest = nil }
    return sent
  }

  /// What a message asks for; nil for nothing.
  private func request(in message: FabricMessage) -> Rest? {
    guard let reply = message.reply, Self.isInbox(reply), message.bytes.count == Self.requestByteCount,
      let granule = message.subject.split(separator: ".").last.flatMap({ Int($0) }),
      (0..<granules.count).contains(granule), message.subject == topic.replay(granule)
    else {
      malformed += 1
      return nil
    }
    let first = message.bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
    let end = message.bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    guard first < end else {
      malformed += 1
      return nil
    }
    return Rest(granule: granule, sequences: first..<first + min(end - first, Self.eventsMax), reply: reply)
  }

  /// Whether a subject is where a reader awaits events. To any other the edge would publish what the asker may not.
  private static func isInbox(_ subject: String) -> Bool {
    let tokens = subject.split(separator: ".", omittingEmptySubsequences: false)
    return tokens.count == 5 && tokens[0] == "_INBOX" && (1...13).contains(tokens[1].utf8.count)
      && tokens[1].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) } && tokens[2] == "r"
      && Int(tokens[3]) != nil && UInt64(tokens[4]) != nil
  }

  private func send(_ found: EdgeEvent, _ granule: Int, to reply: String) throws(FabricError) -> Int? {
    let bytes = try BandMessage.encode(
      found.event, metadata: found.metadata, interval: found.interval, granule: granule, in: granules, epoch: epoch,
      packs: packs,
      into: buffer)
    let status = natsConnection_Publish(connection.handle, reply, bytes.baseAddress, Int32(bytes.count))
    guard status == NATS_OK else { return nil }
    served += 1
    return bytes.count
  }
}
