import Glibc
import Testing

@testable import Host

/// Ports for programs that are started beside this one.
@Suite struct LoopbackPortTests {
  @Test func `A free port is served once somebody listens there`() throws {
    let port = try LoopbackPort.free()
    #expect(try port >= 1024 && !LoopbackPort.isServed(port))
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    let isBound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    try #require(isBound && listen(listener, 1) == 0)
    #expect(try LoopbackPort.isServed(port))
    #expect(try LoopbackPort.free() != port)
  }
}
