internal import CZMQ
internal import Glibc
import Host

/// Sends messages as a detector does: it listens, and receivers connect.
package final class ZeroMQSender {
  private let socket: ZeroMQSocket
  /// The address with the port that it got.
  package let address: StreamAddress

  /// Listens. At most `queueLength` messages wait for each receiver, and `bufferByteCount` bytes in the kernel, which
  /// decides by itself where that is nil; `linger` is how long the end waits until they are gone.
  package init(
    _ address: StreamAddress, queueLength: Int, bufferByteCount: Int32? = nil, linger: Duration
  ) throws(StreamError) {
    precondition(address.pattern.isSender && queueLength > 0, "\(address) does not send")
    // An XPUB is a PUB that hears of its subscribers.
    socket = try ZeroMQSocket(address, type: address.pattern == .push ? ZMQ_PUSH : ZMQ_XPUB)
    try socket.set(ZMQ_SNDHWM, Int32(clamping: queueLength))
    if let bufferByteCount { try socket.set(ZMQ_SNDBUF, bufferByteCount) }
    try socket.set(ZMQ_LINGER, Int32(clamping: Int(linger / .milliseconds(1))))
    try socket.set(ZMQ_SNDTIMEO, ZeroMQSocket.glanceMilliseconds)
    try socket.set(ZMQ_RCVTIMEO, ZeroMQSocket.glanceMilliseconds)
    try socket.check(
      zmq_bind(socket.handle, address.port == 0 ? "tcp://\(address.host):*" : address.endpoint), "zmq_bind")
    self.address = try Self.bound(socket)
  }

  private static func bound(_ socket: ZeroMQSocket) throws(StreamError) -> StreamAddress {
    var text = [CChar](repeating: 0, count: 256)
    var length = text.count
    try socket.check(zmq_getsockopt(socket.handle, ZMQ_LAST_ENDPOINT, &text, &length), "zmq_getsockopt")
    let endpoint = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return try StreamAddress(
      "\(StreamAddress.scheme)\(socket.address.pattern.rawValue)://\(endpoint.dropFirst("tcp://".count))")
  }

  /// Gives up what waits to be sent, once this sender goes.
  package func abandon() throws(StreamError) { try socket.set(ZMQ_LINGER, Int32(0)) }

  /// Waits until somebody listens, where what is sent before would be gone: a publisher has to, a pusher's messages
  /// wait.
  package func awaitReceiver(timeout: Duration, whileWaiting: () throws -> Void) throws {
    guard address.pattern == .pub else { return }
    let deadline = Deadline(after: timeout)
    var byte: UInt8 = 0
    while zmq_recv(socket.handle, &byte, 1, 0) < 0 {
      guard ZeroMQSocket.mustWait else { return try socket.check(-1, "zmq_recv") }
      try whileWaiting()
      if deadline.hasPassed { throw StreamError.notTaken(address: "\(address)", after: timeout) }
    }
  }

  /// Sends a message: `head`, which is copied, and `body`, if there is one. A body with an `owner` is sent from where
  /// it lies: it stays there, unchanged, until the owner is released. Waits for room up to `timeout`.
  package func send(
    _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer? = nil, of owner: AnyObject? = nil,
    timeout: Duration,
    whileWaiting: () throws -> Void
  ) throws {
    let deadline = Deadline(after: timeout)
    try send(head, of: nil, flags: body == nil ? 0 : ZMQ_SNDMORE, deadline, timeout, whileWaiting)
    if let body { try send(body, of: owner, flags: 0, deadline, timeout, whileWaiting) }
  }

  /// The same where there is room now; false, and nothing is sent, where there is none.
  package func offer(
    _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, of owner: AnyObject? = nil
  ) throws(StreamError) -> Bool {
    var message = zmq_msg_t()
    try initialize(&message, head, nil)
    defer { zmq_msg_close(&message) }
    guard zmq_msg_send(&message, socket.handle, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 else {
      if !ZeroMQSocket.mustWait { try socket.check(-1, "zmq_msg_send") }
      return false
    }
    var image = zmq_msg_t()
    try initialize(&image, body, owner)
    defer { zmq_msg_close(&image) }
    // Room is a matter of whole messages: the rest of one that was begun is always taken.
    try socket.check(zmq_msg_send(&image, socket.handle, 0), "zmq_msg_send")
    return true
  }

  private func send(
    _ part: UnsafeRawBufferPointer, of owner: AnyObject?, flags: Int32, _ deadline: Deadline, _ timeout: Duration,
    _ whileWaiting: () throws -> Void
  ) throws {
    var message = zmq_msg_t()
    try initialize(&message, part, owner)
    // After it was sent this does nothing.
    defer { zmq_msg_close(&message) }
    while zmq_msg_send(&message, socket.handle, flags) < 0 {
      guard ZeroMQSocket.mustWait else { return try socket.check(-1, "zmq_msg_send") }
      try whileWaiting()
      if deadline.hasPassed { throw StreamError.notTaken(address: "\(address)", after: timeout) }
    }
  }

  private func initialize(_ message: inout zmq_msg_t, _ part: UnsafeRawBufferPointer, _ owner: AnyObject?)
    throws(StreamError)
  {
    guard let owner, !part.isEmpty else {
      try socket.check(zmq_msg_init_size(&message, part.count), "zmq_msg_init_size")
      if let start = part.baseAddress { memcpy(zmq_msg_data(&message), start, part.count) }
      return
    }
    // libzmq only reads, and calls the function once, from its own thread, when it needs the bytes no more.
    let retained = Unmanaged.passRetained(owner)
    let result = zmq_msg_init_data(
      &message, UnsafeMutableRawPointer(mutating: part.baseAddress), part.count,
      { _, owner in
        // Sound: the hint is the retained object that was passed.
        if let owner { Unmanaged<AnyObject>.fromOpaque(owner).release() }
      }, retained.toOpaque())
    if result < 0 { retained.release() }
    try socket.check(result, "zmq_msg_init_data")
  }
}
