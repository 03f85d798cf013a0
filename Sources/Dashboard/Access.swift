/// 128 random bits that whoever started the run knows: who has them may end it.
struct Token: Sendable {
  /// 32 hexadecimal digits.
  let text: String

  /// A new one, from the system's generator.
  init() {
    var generator = SystemRandomNumberGenerator()
    text = (0..<16).map { _ in
      let byte = UInt8.random(in: 0...255, using: &generator)
      return (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  /// Compares in a time that does not depend on where the first difference is.
  func matches(_ other: String?) -> Bool {
    guard let other else { return false }
    let (own, given) = (Array(text.utf8), Array(other.utf8))
    guard own.count == given.count else { return false }
    return zip(own, given).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}

/// Who may see the run, and who may end it.
///
/// A browser sends requests wherever a foreign page wants, so on loopback the name in `Host` must be one of this
/// machine's own (a foreign name that was made to point here is refused), and what changes the run needs the token as
/// well and an `Origin` that is ours. Elsewhere everything but `/healthz` needs the token.
struct Access: Sendable {
  let isLoopback: Bool
  let port: UInt16
  let token: Token

  /// Cookies do not tell ports apart.
  private var cookieName: String { "slipring-\(port)" }

  /// The cookie that stands for the token from now on. Scripts do not get it, foreign pages cannot have it sent.
  var cookie: (name: String, value: String) {
    ("Set-Cookie", "\(cookieName)=\(token.text); HttpOnly; SameSite=Strict; Path=/; Max-Age=604800")
  }

  /// Whether the client has shown the token in a way that browsers do not do by themselves for foreign pages.
  func isTrusted(_ request: Request) -> Bool {
    let bearer = request.headers["authorization"].flatMap {
      $0.hasPrefix("Bearer ") ? String($0.dropFirst("Bearer ".count)) : nil
    }
    return token.matches(request.cookie(cookieName)) || token.matches(bearer)
  }

  /// Why a request is not answered; nil where it is.
  func refusal(of request: Request) -> Response? {
    let host = request.headers["host"] ?? ""
    if isLoopback, !Self.isOwnName(host) {
      return Response(status: 421, "this page is served as 127.0.0.1 or localhost, not as another name")
    }
    guard request.method == .post else {
      let isLogin = request.path == "/" && request.query["token"] != nil
      guard isLoopback || isTrusted(request) || isLogin || request.path == "/healthz" else {
        return Response(status: 403, "open the address that slipring printed: it ends with ?token=")
      }
      return nil
    }
    // Where the browser says where the request comes from, it must be our own page.
    if let origin = request.headers["origin"], origin != "http://\(host)" {
      return Response(status: 403, "the request comes from another site")
    }
    if let site = request.headers["sec-fetch-site"], site != "same-origin" {
      return Response(status: 403, "the request comes from another site")
    }
    guard token.matches(request.headers["x-slipring-token"]) || token.matches(request.form["token"]) else {
      return Response(status: 403, "the token is missing or wrong: open the address that slipring printed")
    }
    return nil
  }

  /// Any port: a tunnel's other end may have a different one.
  private static func isOwnName(_ host: String) -> Bool {
    let isNumber: (Substring) -> Bool = { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
    var name = host[...]
    if !name.hasSuffix("]"), let colon = name.lastIndex(of: ":") {
      guard isNumber(name[name.index(after: colon)...]) else { return false }
      name = name[..<colon]
    }
    if ["localhost", "[::1]"].contains(name.lowercased()) { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { isNumber($0) && $0.count <= 3 }
  }
}
