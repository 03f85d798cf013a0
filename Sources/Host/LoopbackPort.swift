import Glibc

/// TCP ports of this machine's loopback address, for a program that is started beside this one and listens there.
package enum LoopbackPort {
  /// A port where nobody listens now. Somebody may take it before it is used.
  package static func free() throws(HostError) -> UInt16 {
    let (descriptor, port) = try bound()
    close(descriptor)
    return port
  }

  /// A socket with a free port, for the caller to listen at and to close.
  package static func bound() throws(HostError) -> (descriptor: Int32, port: UInt16) {
    let descriptor = try socket()
    var name = address(0), length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isBound else {
      defer { close(descriptor) }
      throw .system(call: "bind", subject: "a loopback port", errno: .current)
    }
    return (descriptor, UInt16(bigEndian: name.sin_port))
  }

  /// A connection to a port, for the caller to close; nil where nobody listens.
  package static func connection(to port: UInt16) throws(HostError) -> Int32? {
    let descriptor = try socket()
    var name = address(port)
    let isConnected = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard !isConnected else { return descriptor }
    close(descriptor)
    return nil
  }

  /// Whether somebody takes connections at a port.
  package static func isServed(_ port: UInt16) throws(HostError) -> Bool {
    guard let descriptor = try connection(to: port) else { return false }
    close(descriptor)
    return true
  }

  private static func socket() throws(HostError) -> Int32 {
    let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(call: "socket", subject: "a loopback port", errno: .current) }
    return descriptor
  }

  private static func address(_ port: UInt16) -> sockaddr_in {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return name
  }
}
