internal import CZMQ
internal import Glibc
import Host

/// Sends messages as a detector does: it listens, and receivers connect.
public final class ZeroMQSender {
  private let socket: ZeroMQSocket
  /// The address with the port that it got.
  public let address: StreamAddress

  /// Listens. At most `queueLength` messages wait for each receiver; `linger` is how long the end waits until they are gone.
  public init(_ address: StreamAddress, queueLength: Int, linger: Duration) throws(StreamError) {
    precondition(address.pattern.isSender && queueLength > 0, "\(address) does not send")
    // An XPUB is a PUB that hears of its subscribers.
    socket = try ZeroMQSocket(address, type: address.pattern == .push ? ZMQ_PUSH : ZMQ_XPUB)
    try socket.set(ZMQ_SNDHWM, Int32(clamping: queueLength))
    try socket.set(ZMQ_LINGER, Int32(clamping: Int(linger / .milliseconds(1))))
    try socket.set(ZMQ_SNDTIMEO, ZeroMQSocket.glanceMilliseconds)
    try socket.set(ZMQ_RCVTIMEO, ZeroMQSocket.glanceMilliseconds)
    try socket.check(zmq_bind(socket.handle, address.port == 0 ? "tcp://\(address.host):*" : address.endpoint), "zmq_bind")
    self.address = try Self.bound(socket)
  }

  private static func bound(_ socket: ZeroMQSocket) throws(StreamError) -> StreamAddress {
    var text = [CChar](repeating: 0, count: 256)
    var length = text.count
    try socket.check(zmq_getsockopt(socket.handle, ZMQ_LAST_ENDPOINT, &text, &length), "zmq_getsockopt")
    let endpoint = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return try StreamAddress("\(StreamAddress.scheme)\(socket.address.pattern.rawValue)://\(endpoint.dropFirst("tcp://".count))")
  }

  /// Waits until somebody listens, where what is sent before would be gone: a publisher has to, a pusher's messages wait.
  public func awaitReceiver(timeout: Duration, whileWaiting: () throws -> Void) throws {
    guard address.pattern == .pub else { return }
    let deadline = Deadline(after: timeout)
    var byte: UInt8 = 0
    while zmq_recv(socket.handle, &byte, 1, 0) < 0 {
      guard ZeroMQSocket.mustWait else { return try socket.check(-1, "zmq_recv") }
      try whileWaiting()
      if deadline.hasPassed { throw StreamError.notTaken(address: "\(address)", after: timeout) }
    }
  }

  /// Sends a message of some parts, each of which is copied. Waits for room up to `timeout`.
  public func send(_ parts: [UnsafeRawBufferPointer], timeout: Duration, whileWaiting: () throws -> Void) throws {
    let deadline = Deadline(after: timeout)
    for (index, part) in parts.enumerated() {
      let more = index + 1 < parts.count ? ZMQ_SNDMORE : 0
      while zmq_send(socket.handle, part.baseAddress, part.count, more) < 0 {
        guard ZeroMQSocket.mustWait else { return try socket.check(-1, "zmq_send") }
        try whileWaiting()
        if deadline.hasPassed { throw StreamError.notTaken(address: "\(address)", after: timeout) }
      }
    }
  }
}
