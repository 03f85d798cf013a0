import Glibc
import Host
import ScanPlan
import Testing

@testable import Dashboard

@Suite struct ServerTests {
  /// Says how many viewers there are; `/events` begins a stream, and every tick is an event of `eventBytes`.
  private final class Echo: Site {
    private let eventBytes: Int
    private var number = 0

    init(eventBytes: Int) { self.eventBytes = eventBytes }

    func respond(to request: Request, viewers: Int) -> Response {
      request.path == "/events"
        ? .events : Response(status: 200, "\(request.method.rawValue) \(request.path) \(viewers)")
    }

    func tick(viewers: Int) -> [UInt8]? {
      number += 1
      let line = "data: \(number) "
      return Array((line + String(repeating: "x", count: max(0, eventBytes - line.utf8.count)) + "\n\n").utf8)
    }
  }

  private func withServer(eventBytes: Int = 0, _ body: (UInt16) throws -> Void) throws {
    let server = try Server(Listener(#require(DashboardAddress("127.0.0.1:0")))) { Echo(eventBytes: eventBytes) }
    defer { server.stop(grace: .zero) }
    try body(server.address.port)
  }

  @Test("Several requests on one connection are answered in order, also when they come in one piece or byte by byte")
  func pipelining() throws {
    try withServer { port in
      let client = try Client(port: port)
      client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
      let bytes = client.receive { String(decoding: $0, as: UTF8.self).contains("/b 0") }
      #expect(String(decoding: bytes, as: UTF8.self).contains("GET /a 0"))
      for byte in "GET /c HTTP/1.1\r\nHost: x\r\n\r\n" { client.send(String(byte)) }
      #expect(try client.answer().text == "GET /c 0\n")
    }
  }

  @Test("As many requests as come in one piece are answered, in order")
  func manyRequestsAtOnce() throws {
    try withServer { port in
      let client = try Client(port: port)
      client.send((0..<100).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
      let bytes = client.receive { String(decoding: $0.suffix(32), as: UTF8.self).contains("GET /99 0\n") }
      let answers = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n\r\n").dropFirst()
      #expect(answers.map { $0.prefix { $0 != "\n" } } == (0..<100).map { "GET /\($0) 0" })
    }
  }

  @Test("Each response forbids what a foreign page could do with it")
  func securityHeaders() throws {
    try withServer { port in
      let answer = try Client.request("/a", port: port)
      #expect(answer.headers["content-security-policy"]?.hasPrefix("default-src 'self'") == true)
      #expect(
        answer.headers["x-content-type-options"] == "nosniff" && answer.headers["referrer-policy"] == "no-referrer")
      #expect(answer.headers["access-control-allow-origin"] == nil)
    }
  }

  @Test("A head that never ends is refused once it is too long, and the connection ends")
  func endlessHead() throws {
    try withServer { port in
      let client = try Client(port: port)
      client.send("GET /" + String(repeating: "a", count: 9000))
      #expect(try client.answer().status == 431)
      #expect(client.receive().isEmpty)
    }
  }

  @Test("A request that does not come to its end in ten seconds is refused, however steadily it comes")
  func slowRequest() throws {
    try withServer { port in
      let client = try Client(port: port)
      let start = ContinuousClock.now
      var sent = 0
      // A byte every half second: faster than any limit between two bytes.
      while ContinuousClock.now - start < .seconds(9) {
        client.send(sent < 4 ? String(Array("GET ")[sent]) : "a")
        sent += 1
        usleep(500_000)
      }
      #expect(try client.answer().status == 408)
    }
  }

  @Test("As many as there is room for are served; idle ones make room for new ones")
  func manyConnections() throws {
    try withServer { port in
      var clients: [Client] = []
      for _ in 0..<Server.connectionsMax + 44 {
        let client = try Client(port: port)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.answer().status == 200)
        clients.append(client)
      }
      #expect(try Client.request("/b", port: port).status == 200)
    }
  }

  @Test("When all are in use another is turned away, and the server goes on")
  func allInUse() throws {
    try withServer { port in
      var clients: [Client] = []
      for _ in 0..<Server.connectionsMax {
        let client = try Client(port: port)
        client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(!client.receive().isEmpty)
        clients.append(client)
      }
      let client = try Client(port: port)
      client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.receive().isEmpty)
      clients.removeLast()
      for _ in 0..<600 {
        let next = try Client(port: port)
        next.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        if !next.receive().isEmpty { return }
        usleep(50_000)
      }
      Issue.record("nobody is served after a viewer left")
    }
  }

  @Test("A viewer that does not read misses events and gets the newest; the others get all of them")
  func slowViewer() throws {
    try withServer(eventBytes: 1 << 20) { port in
      let (slow, quick) = (try Client(port: port), try Client(port: port))
      for client in [slow, quick] { client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n") }
      func numbers(_ client: Client, count: Int) -> [Int] {
        var (found, line) = ([Int](), [UInt8]())
        while found.count < count {
          let bytes = client.receive()
          if bytes.isEmpty { break }
          for byte in bytes {
            if byte == UInt8(ascii: "\n") {
              let words = String(decoding: line.prefix(32), as: UTF8.self).split(separator: " ")
              if words.count > 1, words[0] == "data:", let number = Int(words[1]) { found.append(number) }
              line = []
            } else {
              line.append(byte)
            }
          }
        }
        return found
      }
      let seen = numbers(quick, count: 12)
      #expect(seen.count == 12)
      let late = numbers(slow, count: 12)
      #expect(zip(late, late.dropFirst()).contains { $1 > $0 + 1 }, "nothing was left out: \(late)")
      #expect(late == late.sorted())
    }
  }

  @Test("A viewer whose machine is gone without a word is let go, although the system takes what is sent to it")
  func vanishedViewer() throws {
    try withServer(eventBytes: 1000) { port in
      let viewer = try Client(port: port)
      viewer.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(!viewer.receive().isEmpty)
      try viewer.vanish()
      #expect(try Client.request("/a", port: port).text == "GET /a 1\n")
      let end = ContinuousClock.now + Connection.outputLimit + .seconds(40)
      while try Client.request("/a", port: port).text != "GET /a 0\n" {
        guard ContinuousClock.now < end else {
          Issue.record("it still counts as a viewer")
          return
        }
        usleep(200_000)
      }
    }
  }

  @Test(
    "Clients get a quarter of the descriptors that the process may have, 256 at most",
    arguments: [(1024, 256), (64, 16), (3, 1), (Int.max, 256)])
  func descriptors(_ max: Int, _ connections: Int) {
    #expect(Server.connectionsMax(descriptorsMax: max) == connections)
  }

  @Test("A port that is taken is refused in one line with the code of an unavailable service")
  func takenPort() throws {
    let first = try Listener(#require(DashboardAddress("127.0.0.1:0")))
    do {
      _ = try Listener(first.address)
      Issue.record("two listeners on \(first.address)")
    } catch {
      #expect(error.exitCode == 69 && error.description.contains("another program has the port"))
    }
  }

  @Test(
    "An address is numeric, with a port, or a port alone",
    arguments: [
      ("127.0.0.1:8787", "127.0.0.1:8787"), ("8787", "127.0.0.1:8787"), ("localhost:1", "127.0.0.1:1"),
      ("[::1]:80", "[::1]:80"),
      ("0.0.0.0:5", "0.0.0.0:5"), ("::1:80", nil), ("127.0.0.1", nil), ("127.0.0.1:65536", nil), ("host:80", nil),
      ("", nil), (":80", nil),
    ] as [(String, String?)])
  func addresses(_ text: String, _ expected: String?) {
    #expect(DashboardAddress(text)?.description == expected)
  }
}
