import Testing

@testable import Dashboard

@Suite struct AccessTests {
  private let token = Token()

  private func status(
    _ headers: [String: String] = [:], of text: String = "POST /finalize", host: String = "127.0.0.1:8787",
    isLoopback: Bool = true,
    form: String = ""
  ) throws -> Int? {
    let all = headers.merging(["Host": host, "Content-Length": "\(form.utf8.count)"]) { own, _ in own }
    let bytes = Array("\(text) HTTP/1.1\r\n\(all.map { "\($0): \($1)\r\n" }.joined())\r\n\(form)".utf8)
    guard case .request(let request, _) = RequestParser.parse(bytes[...]) else { throw Malformed() }
    return Access(isLoopback: isLoopback, port: 8787, token: token).refusal(of: request)?.status
  }

  private struct Malformed: Error {}

  @Test("Under the name that a reverse proxy serves, the page wants the token for everything, and knows https")
  func publicName() throws {
    func status(_ text: String, _ headers: [String: String], name: String? = "slipring.lab.org") throws -> Int? {
      let all = headers.map { "\($0): \($1)\r\n" }.joined()
      guard case .request(let request, _) = RequestParser.parse(Array("\(text) HTTP/1.1\r\n\(all)\r\n".utf8)[...])
      else {
        throw Malformed()
      }
      return Access(isLoopback: true, port: 8080, token: token, publicName: name).refusal(of: request)?.status
    }
    let (host, bearer) = (["Host": "Slipring.lab.org"], ["Authorization": "Bearer \(token.text)"])
    #expect(try status("GET /", host) == 403)
    #expect(try status("GET /healthz", host) == nil)
    #expect(try status("GET /", host.merging(bearer) { $1 }) == nil)
    #expect(try status("GET /", host.merging(bearer) { $1 }, name: nil) == 421)
    #expect(try status("GET /", ["Host": "127.0.0.1:8080"]) == nil)
    let post = host.merging(bearer) { $1 }
    #expect(try status("POST /x", post.merging(["Origin": "https://Slipring.lab.org"]) { $1 }) == nil)
    #expect(try status("POST /x", post.merging(["Origin": "https://evil.example"]) { $1 }) == 403)
    #expect(try status("POST /x", ["Host": "127.0.0.1", "Origin": "https://127.0.0.1"].merging(bearer) { $1 }) == 403)
  }

  @Test func `encrypted, it takes requests from its own encrypted pages only, and so does its cookie`() throws {
    let access = Access(isLoopback: true, port: 8080, token: token, isEncrypted: true)
    func status(_ origin: String) throws -> Int? {
      let text = "POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: \(origin)\r\nX-Slipring-Token: \(token.text)\r\n\r\n"
      guard case .request(let request, _) = RequestParser.parse(Array(text.utf8)[...]) else { throw Malformed() }
      return access.refusal(of: request)?.status
    }
    #expect(try status("https://127.0.0.1") == nil)
    #expect(try status("http://127.0.0.1") == 403)
    #expect(access.cookie.value.hasSuffix("; Secure"))
    #expect(!Access(isLoopback: true, port: 8080, token: token).cookie.value.contains("Secure"))
  }

  @Test("Two tokens differ and have 128 bits")
  func tokens() {
    #expect(token.text.count == 32 && token.text.allSatisfy(\.isHexDigit))
    #expect(Token().text != token.text)
    #expect(token.matches(token.text) && !token.matches(nil) && !token.matches("") && !token.matches(token.text + "0"))
    #expect(!token.matches(String(token.text.dropLast()) + (token.text.last == "0" ? "1" : "0")))
  }

  @Test("Whoever wants to change the run shows the token, in a header or a form; a cookie alone is not enough")
  func tokenNeeded() throws {
    #expect(try status() == 403)
    #expect(try status(["X-Slipring-Token": "0123"]) == 403)
    #expect(try status(["Cookie": "slipring-8787=\(token.text)"]) == 403)
    #expect(try status(["X-Slipring-Token": token.text]) == nil)
    #expect(try status(form: "token=\(token.text)") == nil)
  }

  @Test("With the token, too, a request from another site is refused")
  func otherSites() throws {
    for origin in ["http://evil.example", "null", "http://127.0.0.1:8788", "https://127.0.0.1:8787"] {
      #expect(try status(["X-Slipring-Token": token.text, "Origin": origin]) == 403, "\(origin)")
    }
    #expect(try status(["X-Slipring-Token": token.text, "Origin": "http://127.0.0.1:8787"]) == nil)
    #expect(try status(["X-Slipring-Token": token.text, "Sec-Fetch-Site": "cross-site"]) == 403)
    #expect(try status(["X-Slipring-Token": token.text, "Sec-Fetch-Site": "same-origin"]) == nil)
  }

  @Test(
    "On loopback only this machine's own names are served, with any port: a tunnel works, a foreign name does not"
  )
  func names() throws {
    for host in ["127.0.0.1:8787", "localhost", "localhost:9000", "[::1]:8787", "127.1.2.3:1", "LOCALHOST:1"] {
      #expect(try status(of: "GET /", host: host) == nil, "\(host)")
    }
    for host in [
      "evil.example:8787", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1:8787", "127.0.0.1:x",
      "[::2]:1", "127.0.0",
    ] {
      #expect(try status(of: "GET /", host: host) == 421, "\(host)")
    }
  }

  @Test("Beyond loopback nothing but /healthz is shown without the token")
  func beyondLoopback() throws {
    #expect(try status(of: "GET /", host: "beamline:8787", isLoopback: false) == 403)
    #expect(try status(of: "GET /metrics", host: "beamline:8787", isLoopback: false) == 403)
    #expect(try status(of: "GET /healthz", host: "beamline:8787", isLoopback: false) == nil)
    #expect(
      try status(
        ["Authorization": "Bearer \(token.text)"], of: "GET /metrics", host: "beamline:8787", isLoopback: false) == nil)
    #expect(
      try status(["Cookie": "a=b; slipring-8787=\(token.text)"], of: "GET /", host: "beamline:8787", isLoopback: false)
        == nil)
    #expect(try status(of: "GET /?token=\(token.text)", host: "beamline:8787", isLoopback: false) == nil)
  }
}
