internal import CZMQ

/// Takes messages from a detector that sends by ZeroMQ. It connects, again and again where nobody listens, so it may be
/// started first.
///
/// libzmq allocates each part when its length arrives; no part is longer than allowed here: a longer one ends the
/// connection, which is made anew.
final class ZeroMQReceiver {
  private let socket: ZeroMQSocket
  private let monitor: ZeroMQMonitor
  private let messages: UnsafeMutableBufferPointer<zmq_msg_t>
  private let parts: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>
  private var timeout: Duration = .zero
  private var open = 0

  /// Connects. `partByteCountMax` bounds a part of a message, `queueLength` the messages that wait here.
  init(_ address: StreamAddress, partByteCountMax: Int, queueLength: Int) throws(StreamError) {
    precondition(!address.pattern.isSender && queueLength > 0, "\(address) does not receive")
    socket = try ZeroMQSocket(address, type: address.pattern == .pull ? ZMQ_PULL : ZMQ_SUB)
    messages = .allocate(capacity: StreamDecoder.partsMax)
    parts = .allocate(capacity: StreamDecoder.partsMax)
    try socket.set(ZMQ_LINGER, Int32(0))
    try socket.set(ZMQ_RCVHWM, Int32(clamping: queueLength))
    try socket.set(ZMQ_MAXMSGSIZE, Int64(partByteCountMax))
    try socket.set(ZMQ_RECONNECT_IVL, Int32(20))
    try socket.set(ZMQ_RECONNECT_IVL_MAX, Int32(1000))
    try socket.set(ZMQ_RCVTIMEO, Int32(0))
    monitor = try ZeroMQMonitor(socket)
    if address.pattern == .sub {
      try socket.check(zmq_setsockopt(socket.handle, ZMQ_SUBSCRIBE, "", 0), "zmq_setsockopt")
    }
    try socket.check(zmq_connect(socket.handle, address.endpoint), "zmq_connect")
  }

  deinit {
    release()
    messages.deallocate()
    parts.deallocate()
  }

  /// The parts of the next message, valid until the next call; nil where none came before `timeout`. A message of too
  /// many parts has no parts.
  func receive(timeout: Duration) throws(StreamError) -> UnsafeBufferPointer<UnsafeRawBufferPointer>? {
    release()
    try setTimeout(timeout)
    guard try receivePart() else { return nil }
    while zmq_msg_more(messages.baseAddress! + open - 1) != 0 {
      guard open < messages.count else { return try skipRest() }
      // The parts of a message come together.
      guard try receivePart() else { return UnsafeBufferPointer(rebasing: parts[..<0]) }
    }
    return UnsafeBufferPointer(rebasing: parts[..<open])
  }

  /// What became of the connection, for which it does not wait.
  func connectionEvent() -> ZeroMQMonitor.ConnectionEvent? { monitor.next() }

  /// Connects anew where libzmq does not: it gives up a connection over which a longer part came than is allowed. Only
  /// for a connection that is lost: what waits to be taken goes.
  func reconnect() throws(StreamError) {
    // It may be given up already.
    _ = zmq_disconnect(socket.handle, socket.address.endpoint)
    try socket.check(zmq_connect(socket.handle, socket.address.endpoint), "zmq_connect")
  }

  private func setTimeout(_ timeout: Duration) throws(StreamError) {
    guard timeout != self.timeout else { return }
    try socket.set(ZMQ_RCVTIMEO, Int32(clamping: Int(timeout / .milliseconds(1))))
    self.timeout = timeout
  }

  /// False where nothing came in time.
  private func receivePart() throws(StreamError) -> Bool {
    let message = messages.baseAddress! + open
    zmq_msg_init(message)
    open += 1
    guard zmq_msg_recv(message, socket.handle, 0) >= 0 else {
      if !ZeroMQSocket.mustWait { try socket.check(-1, "zmq_msg_recv") }
      return false
    }
    parts[open - 1] = UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
    return true
  }

  private func skipRest() throws(StreamError) -> UnsafeBufferPointer<UnsafeRawBufferPointer> {
    var part = zmq_msg_t()
    var more = true
    while more {
      zmq_msg_init(&part)
      let isThere = zmq_msg_recv(&part, socket.handle, 0) >= 0
      more = isThere && zmq_msg_more(&part) != 0
      zmq_msg_close(&part)
    }
    return UnsafeBufferPointer(rebasing: parts[..<0])
  }

  private func release() {
    for message in messages[..<open].indices { zmq_msg_close(messages.baseAddress! + message) }
    open = 0
  }
}
