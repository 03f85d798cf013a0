import Glibc
import Testing

@testable import Host

/// Ports for programs that are started beside this one.
@Suite struct LoopbackPortTests {
  @Test func `A free port is served once somebody listens there`() throws {
    let (listener, port) = try LoopbackPort.bound()
    defer { close(listener) }
    #expect(try port >= 1024 && !LoopbackPort.isServed(port))
    try #require(listen(listener, 1) == 0)
    #expect(try LoopbackPort.isServed(port))
    #expect(try LoopbackPort.free() != port)
  }
}
