import Testing

@testable import Dashboard

@Suite struct RequestParserTests {
  private func parse(_ text: String) -> RequestParser.ParsedHead { RequestParser.parse(Array(text.utf8)[...]) }

  private func request(_ text: String) -> Request? {
    guard case .request(let request, _) = parse(text) else { return nil }
    return request
  }

  @Test("A request is understood: path, query, headers, body, and where it ends")
  func whole() throws {
    let text =
      "POST /finalize?a=1%202&b=%C3%A9+x HTTP/1.1\r\nHost: localhost:1\r\nContent-Length:  7 \r\n\r\ntoken=aGET /"
    guard case .request(let request, let byteCount) = parse(text) else {
      Issue.record("refused")
      return
    }
    #expect(request.method == .post && request.path == "/finalize" && request.keepsAlive)
    #expect(request.query == ["a": "1 2", "b": "é x"])
    #expect(request.form == ["token": "a"] && request.headers["host"] == "localhost:1")
    #expect(byteCount == text.utf8.count - "GET /".utf8.count)
  }

  @Test("A request is incomplete as long as any byte is missing")
  func everyPrefix() {
    let text = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    let bytes = Array(text.utf8)
    for count in bytes.indices { #expect(RequestParser.parse(bytes[..<count]) == .incomplete, "\(count) bytes") }
    #expect(request(text)?.body == Array("abc".utf8))
  }

  @Test(
    "What is malformed or too much is refused, with the status that says why",
    arguments: [
      ("GET / HTTP/1.1\r\n\r\n", 400),
      ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
      ("GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
      ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
      ("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
      ("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
      ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
      ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16385\r\n\r\n", 413),
      ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
      ("GET /" + String(repeating: "a", count: 9000), 431),
      ("\u{16}\u{3}\u{1}", 400),
      ("SSH-2.0", 0),
      ("GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 65), 0),
    ] as [(String, Int)])
  func refusals(_ text: String, _ status: Int) {
    #expect(parse(text) == (status == 0 ? .incomplete : .refused(status: status)))
  }

  @Test("Bytes that are no text never trap")
  func noise() {
    var state: UInt64 = 1
    for _ in 0..<2000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let bytes =
        (0..<Int(state >> 58) + 4).map { UInt8(truncatingIfNeeded: state >> UInt64($0 % 50)) } + [13, 10, 13, 10]
      if case .request = RequestParser.parse(bytes[...]) { Issue.record("noise is a request: \(bytes)") }
    }
  }

  @Test("A connection stays open as the version and the header say")
  func keepAlive() {
    #expect(request("GET / HTTP/1.1\r\nHost: x\r\n\r\n")?.keepsAlive == true)
    #expect(request("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?.keepsAlive == false)
    #expect(request("GET / HTTP/1.0\r\nHost: x\r\n\r\n")?.keepsAlive == false)
  }
}
