internal import CZMQ

/// Takes orders by ZeroMQ, as a detector's control does, and answers each.
package final class ZeroMQResponder {
  private let socket: ZeroMQSocket

  private static let orderByteCountMax = 4096

  /// Listens at a `zmq+rep` address.
  package init(_ address: StreamAddress) throws(StreamError) {
    precondition(address.pattern == .rep, "\(address) does not answer")
    socket = try ZeroMQSocket(address, type: ZMQ_REP)
    try socket.set(ZMQ_LINGER, ZeroMQSocket.glanceMilliseconds)
    try socket.set(ZMQ_MAXMSGSIZE, Int64(Self.orderByteCountMax))
    try socket.check(zmq_bind(socket.handle, address.endpoint), "zmq_bind")
  }

  /// The next order, which was answered with `reply`, as one line of plain text; nil where there is none. Never waits.
  package func order(reply: String) throws(StreamError) -> String? {
    var bytes = [UInt8](repeating: 0, count: Self.orderByteCountMax)
    let count = zmq_recv(socket.handle, &bytes, bytes.count, ZMQ_DONTWAIT)
    guard count >= 0 else {
      if !ZeroMQSocket.mustWait { try socket.check(-1, "zmq_recv") }
      return nil
    }
    try skipRest()
    let sent = Array(reply.utf8).withUnsafeBytes { zmq_send(socket.handle, $0.baseAddress, $0.count, ZMQ_DONTWAIT) }
    if sent < 0, !ZeroMQSocket.mustWait { try socket.check(-1, "zmq_send") }
    return plainLine(bytes.prefix(Int(count)))
  }

  /// The first part says what there is to say; the parts of a message come together.
  private func skipRest() throws(StreamError) {
    var (more, size) = (Int32(0), MemoryLayout<Int32>.size)
    var byte: UInt8 = 0
    repeat {
      try socket.check(zmq_getsockopt(socket.handle, ZMQ_RCVMORE, &more, &size), "zmq_getsockopt")
    } while more != 0 && zmq_recv(socket.handle, &byte, 1, ZMQ_DONTWAIT) >= 0
  }
}
