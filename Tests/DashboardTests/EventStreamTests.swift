import Glibc
import Testing

@testable import Dashboard

/// A stream of events as one connection has it.
@Suite struct EventStreamTests {
  @Test func `A stream that is silent is kept open, and keeps its place`() throws {
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    defer { for end in ends { close(end) } }
    func received() -> String {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(ends[1], &buffer, buffer.count, Int32(MSG_DONTWAIT))
      return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
    let start = ContinuousClock.now
    var connection = Connection(descriptor: ends[0], now: start)
    let request = Array("GET /events HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
    try #require(Glibc.send(ends[1], request, request.count, 0) == request.count)
    let began = connection.receive(now: start) { _ in
      var response = Response.events
      response.body = .events(EventStream(channel: "changes", position: 7))
      return response
    }
    #expect(began == .goesOn && connection.getsEvents && received().contains("text/event-stream"))
    // A comment, which clients pass over, after 15 s without an event.
    #expect(connection.keepAlive(now: start + .seconds(14)) == .goesOn && received().isEmpty)
    #expect(connection.keepAlive(now: start + .seconds(16)) == .goesOn && received() == ": alive\n\n")
    #expect(connection.stream?.position == 7)
    #expect(connection.keepAlive(now: start + .seconds(30)) == .goesOn && received().isEmpty)
    let event = Array("data: 8\n\n".utf8)
    #expect(connection.send(event: event, position: 8, now: start + .seconds(30)) == .goesOn)
    #expect(received() == "data: 8\n\n")
    #expect(connection.keepAlive(now: start + .seconds(44)) == .goesOn && received().isEmpty)
    #expect(connection.keepAlive(now: start + .seconds(46)) == .goesOn && received() == ": alive\n\n")
    #expect(connection.stream?.position == 8)
  }
}
