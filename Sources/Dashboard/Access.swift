/// 128 random bits that whoever started the run knows: who has them may end it.
struct Token: Sendable {
  /// 32 hexadecimal digits, or what a person chose.
  let text: String

  /// One that a person chose.
  init(_ text: String) { self.text = text }

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
  /// Whether it is served as `https://`.
  let isEncrypted: Bool
  /// The name under which a reverse proxy on this machine serves it to others, who all need the token; nil for none.
  let publicName: String?

  /// What is asked of the clients of a page at `address`.
  init(_ address: DashboardAddress, token: Token, publicName: String? = nil) {
    self.init(
      isLoopback: address.isLoopback, port: address.port, token: token, isEncrypted: address.tls != nil,
      publicName: publicName)
  }

  init(isLoopback: Bool, port: UInt16, token: Token, isEncrypted: Bool = false, publicName: String? = nil) {
    (self.isLoopback, self.port, self.token) = (isLoopback, port, token)
    (self.isEncrypted, self.publicName) = (isEncrypted, publicName)
  }

  /// Cookies do not tell ports apart.
  private var cookieName: String { "slipring-\(port)" }

  /// The cookie that stands for the token from now on. Scripts do not get it, foreign pages cannot have it sent.
  var cookie: (name: String, value: String) {
    (
      "Set-Cookie",
      "\(cookieName)=\(token.text); HttpOnly; SameSite=Strict; Path=/; Max-Age=604800\(isEncrypted ? "; Secure" : "")"
    )
  }

  /// Whether the client has shown the token in a way that browsers do not do by themselves for foreign pages.
  func isTrusted(_ request: Request) -> Bool {
    token.matches(request.cookie(cookieName)) || token.matches(Self.bearer(request))
  }

  private static func bearer(_ request: Request) -> String? {
    request.headers["authorization"].flatMap {
      $0.hasPrefix("Bearer ") ? String($0.dropFirst("Bearer ".count)) : nil
    }
  }

  /// Why a request is not answered; nil where it is.
  func refusal(of request: Request) -> Response? {
    let host = request.headers["host"] ?? ""
    let isPublic = publicName.map { Self.name(of: host)?.lowercased() == $0.lowercased() } ?? false
    if isLoopback, !isPublic, !Self.isOwnName(host) {
      return Response(status: 421, "this page is served as 127.0.0.1 or localhost, not as another name")
    }
    guard request.method == .post else {
      let isLogin = request.path == "/" && request.query["token"] != nil
      guard (isLoopback && !isPublic) || isTrusted(request) || isLogin || request.path == "/healthz" else {
        return Response(status: 403, "open the address that slipring printed: it ends with ?token=")
      }
      return nil
    }
    // Where the browser says where the request comes from, it must be our own page.
    let own = (isEncrypted ? [] : ["http://\(host)"]) + (isEncrypted || isPublic ? ["https://\(host)"] : [])
    if let origin = request.headers["origin"], !own.contains(origin) {
      return Response(status: 403, "the request comes from another site")
    }
    if let site = request.headers["sec-fetch-site"], site != "same-origin" {
      return Response(status: 403, "the request comes from another site")
    }
    guard
      [request.headers["x-slipring-token"], request.form["token"], Self.bearer(request)].contains(where: token.matches)
    else {
      return Response(status: 403, "the token is missing or wrong: open the address that slipring printed")
    }
    return nil
  }

  /// Any port: a tunnel's other end may have a different one.
  private static func isOwnName(_ host: String) -> Bool {
    guard let name = name(of: host) else { return false }
    if ["localhost", "[::1]"].contains(name.lowercased()) { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { isNumber($0) && $0.count <= 3 }
  }

  /// The name in `Host`, without a port; nil where that is none.
  private static func name(of host: String) -> Substring? {
    guard !host.hasSuffix("]"), let colon = host.lastIndex(of: ":") else { return host[...] }
    return isNumber(host[host.index(after: colon)...]) ? host[..<colon] : nil
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
  }
}
