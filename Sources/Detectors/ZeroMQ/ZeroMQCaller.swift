internal import CZMQ
import Host

/// Sends one message to somebody who listens, and takes the reply where the pattern has one.
final class ZeroMQCaller {
  private let socket: ZeroMQSocket

  private static let replyByteCountMax = 4096
  /// Of a reply, what a line of a log has room for.
  private static let replyShownMax = 200

  /// Begins to connect.
  init(_ address: StreamAddress) throws(StreamError) {
    precondition(address.pattern == .req || address.pattern == .push, "\(address) is not called")
    socket = try ZeroMQSocket(address, type: address.pattern == .req ? ZMQ_REQ : ZMQ_PUSH)
    // A message waits for its connection here, where it can be given up, and not in a queue.
    try socket.set(ZMQ_IMMEDIATE, Int32(1))
    try socket.set(ZMQ_MAXMSGSIZE, Int64(Self.replyByteCountMax))
    try socket.check(zmq_connect(socket.handle, address.endpoint), "zmq_connect")
  }

  /// Sends `text`, and gives what was answered, in words. Throws `.refused` where nobody takes it or answers before
  /// `timeout`.
  func send(_ text: String, timeout: Duration) throws(StreamError) -> String {
    let deadline = Deadline(after: timeout)
    try limit(ZMQ_SNDTIMEO, deadline)
    try limit(ZMQ_LINGER, deadline)
    let sent = Array(text.utf8).withUnsafeBytes { zmq_send(socket.handle, $0.baseAddress, $0.count, 0) }
    guard sent >= 0 else { return try refuse("zmq_send", "nobody took the message for \(timeout)") }
    guard socket.address.pattern == .req else {
      // What did not leave by then is dropped with the socket.
      try limit(ZMQ_LINGER, deadline)
      return "sent"
    }
    try limit(ZMQ_RCVTIMEO, deadline)
    var reply = [UInt8](repeating: 0, count: Self.replyByteCountMax)
    let count = zmq_recv(socket.handle, &reply, reply.count, 0)
    guard count >= 0 else { return try refuse("zmq_recv", "no reply for \(timeout)") }
    return "answered: \(plainLine(reply.prefix(min(Int(count), Self.replyShownMax))))"
  }

  private func limit(_ option: Int32, _ deadline: Deadline) throws(StreamError) {
    try socket.set(option, Int32(clamping: Int(deadline.remaining / .milliseconds(1))))
  }

  private func refuse(_ call: String, _ reason: String) throws(StreamError) -> String {
    guard ZeroMQSocket.mustWait else {
      try socket.check(-1, call)
      return ""
    }
    try socket.set(ZMQ_LINGER, Int32(0))
    throw .refused(address: "\(socket.address)", reason: reason)
  }
}
