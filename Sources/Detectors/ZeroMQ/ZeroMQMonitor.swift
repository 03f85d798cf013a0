internal import CZMQ

/// Hears what becomes of the connections of a socket (zmq_socket_monitor(3)).
final class ZeroMQMonitor {
  /// What became of one.
  enum ConnectionEvent {
    /// There is one, and messages can come.
    case connected
    /// It ended.
    case disconnected
  }

  /// Stays as long as its events are heard.
  private let socket: ZeroMQSocket
  private let pair: UnsafeMutableRawPointer

  init(_ socket: ZeroMQSocket) throws(StreamError) {
    self.socket = socket
    pair = try socket.monitor(ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED)
  }

  deinit {
    zmq_close(pair)
    withExtendedLifetime(socket) {}
  }

  /// The next event, for which it does not wait.
  func next() -> ConnectionEvent? {
    // [event u16, value u32] [endpoint]
    var event: (UInt16, UInt16, UInt16) = (0, 0, 0)
    guard zmq_recv(pair, &event, 6, ZMQ_DONTWAIT) == 6 else { return nil }
    var endpoint: (UInt64, UInt64) = (0, 0)
    guard zmq_recv(pair, &endpoint, 16, ZMQ_DONTWAIT) >= 0 else { return nil }
    return Int32(event.0) == ZMQ_EVENT_DISCONNECTED ? .disconnected : .connected
  }
}
