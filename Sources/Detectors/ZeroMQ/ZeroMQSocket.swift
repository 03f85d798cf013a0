internal import CZMQ
internal import Glibc

/// One socket of libzmq with its own context, whose thread does the transfers. Use from one thread at a time.
final class ZeroMQSocket {
  let handle: UnsafeMutableRawPointer
  let address: StreamAddress
  private let context: UnsafeMutableRawPointer

  /// How long a send or receive waits inside libzmq before it looks up: deadlines are kept to within this.
  static let glanceMilliseconds: Int32 = 100

  init(_ address: StreamAddress, type: Int32) throws(StreamError) {
    keepMessageMemory()
    guard let context = zmq_ctx_new() else {
      throw .system(call: "zmq_ctx_new", address: "\(address)", reason: Self.reason)
    }
    guard let handle = zmq_socket(context, type) else {
      let error = StreamError.system(call: "zmq_socket", address: "\(address)", reason: Self.reason)
      zmq_ctx_term(context)
      throw error
    }
    (self.context, self.handle, self.address) = (context, handle, address)
    if address.host.hasPrefix("[") { try set(ZMQ_IPV6, Int32(1)) }
  }

  deinit {
    zmq_close(handle)
    // Returns once what was sent is gone, or ZMQ_LINGER is over.
    while zmq_ctx_term(context) != 0, zmq_errno() == EINTR {}
  }

  func set(_ option: Int32, _ value: Int32) throws(StreamError) {
    var value = value
    try check(zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size), "zmq_setsockopt")
  }

  func set(_ option: Int32, _ value: Int64) throws(StreamError) {
    var value = value
    try check(zmq_setsockopt(handle, option, &value, MemoryLayout<Int64>.size), "zmq_setsockopt")
  }

  /// A socket at which these events are heard; whoever gets it closes it before this one goes.
  func monitor(_ events: Int32) throws(StreamError) -> UnsafeMutableRawPointer {
    let place = "inproc://monitor"
    try check(zmq_socket_monitor(handle, place, events), "zmq_socket_monitor")
    guard let pair = zmq_socket(context, ZMQ_PAIR) else {
      throw .system(call: "zmq_socket", address: "\(address)", reason: Self.reason)
    }
    var linger: Int32 = 0
    zmq_setsockopt(pair, ZMQ_LINGER, &linger, MemoryLayout<Int32>.size)
    guard zmq_connect(pair, place) == 0 else {
      let error = StreamError.system(call: "zmq_connect", address: "\(address)", reason: Self.reason)
      zmq_close(pair)
      throw error
    }
    return pair
  }

  func check(_ result: Int32, _ call: String) throws(StreamError) {
    guard result < 0 else { return }
    throw .system(call: call, address: "\(address)", reason: Self.reason)
  }

  private static var reason: String { String(cString: zmq_strerror(zmq_errno())) }

  /// Whether the last call only found that nothing can be done yet.
  static var mustWait: Bool { zmq_errno() == EAGAIN || zmq_errno() == EINTR }
}

/// libzmq allocates each message and frees it in another thread. By default malloc(3) gives memory of that size back to
/// the system every time, and the system clears it page by page for the next message: that costs as much as the
/// transfer. This process keeps it.
private func keepMessageMemory() {
  // The most that glibc takes; larger messages are mapped one by one as before.
  mallopt(M_MMAP_THRESHOLD, 32 << 20)
  mallopt(M_TRIM_THRESHOLD, 1 << 30)
}
