internal import CNATS

/// A message that came.
final class FabricMessage {
  private let handle: OpaquePointer

  init(taking handle: OpaquePointer) { self.handle = handle }

  deinit { natsMsg_Destroy(handle) }

  /// Where it was sent to.
  var subject: String { natsMsg_GetSubject(handle).map { String(cString: $0) } ?? "" }

  /// Where an answer is expected; nil for none.
  var reply: String? { natsMsg_GetReply(handle).map { String(cString: $0) } }

  /// Its bytes, which live as long as it does.
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: natsMsg_GetData(handle), count: Int(natsMsg_GetDataLength(handle)))
  }

  /// What a server says in place of a message, as 503 for nobody there; nil for a message.
  var status: Int? {
    guard bytes.isEmpty else { return nil }
    return header("Status").flatMap { Int($0) }
  }

  /// One of its headers.
  func header(_ key: String) -> String? {
    var value: UnsafePointer<CChar>?
    guard natsMsgHeader_Get(handle, key, &value) == NATS_OK, let value else { return nil }
    return String(cString: value)
  }
}

/// Subjects of a connection's own, and the queue of what is sent to them. Use from one thread at a time.
final class FabricInbox {
  /// What subjects of it begin with, without the point.
  let prefix: String
  /// How often a server said that nobody is there for what was sent. The library keeps to itself which message it was.
  private(set) var unanswered = 0
  private let connection: FabricConnection
  private let subscription: OpaquePointer

  /// Messages, and bytes of them, that may wait here: what asks for messages asks for fewer.
  private static let queueMax: (messages: Int32, bytes: Int32) = (65_536, 512 << 20)

  /// Subscribes to `subject`, or to every subject below a new one of its own.
  init(_ connection: FabricConnection, subject: String? = nil) throws(FabricError) {
    self.connection = connection
    prefix = "_INBOX.\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    var made: OpaquePointer?
    let status = natsConnection_SubscribeSync(&made, connection.handle, subject ?? prefix + ".>")
    guard status == NATS_OK, let made else {
      throw connection.isClosed
        ? .closed("\(connection.address)")
        : .refused(what: "a subscription", reason: String(cString: natsStatus_GetText(status)))
    }
    subscription = made
    natsSubscription_SetPendingLimits(subscription, Self.queueMax.messages, Self.queueMax.bytes)
  }

  deinit {
    natsSubscription_Unsubscribe(subscription)
    natsSubscription_Destroy(subscription)
  }

  /// The next message; nil where none comes before `timeout`, or a server said that nobody is there.
  func next(timeout: Duration) throws(FabricError) -> FabricMessage? {
    var message: OpaquePointer?
    let status = natsSubscription_NextMsg(&message, subscription, max(timeout.milliseconds, 0))
    switch status {
    case NATS_OK: return message.map { FabricMessage(taking: $0) }
    case NATS_CONNECTION_CLOSED, NATS_INVALID_SUBSCRIPTION: throw .closed("\(connection.address)")
    case NATS_NO_RESPONDERS:
      unanswered += 1
      return nil
    // Messages were dropped because too many waited: what they were for is asked for again.
    default: return nil
    }
  }

  /// The rest of a subject behind the prefix, cut at its points.
  func tokens(_ message: FabricMessage) -> [Substring] {
    message.subject.utf8.count > prefix.utf8.count
      ? message.subject.dropFirst(prefix.count + 1).split(separator: ".") : []
  }
}
