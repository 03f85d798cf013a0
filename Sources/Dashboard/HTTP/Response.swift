/// Server-sent events that a client gets, and which of them it has.
struct EventStream: Equatable {
  /// Which of the site's streams; that of `Site.tick` has no name.
  let channel: String
  /// The last event that the client has, in a stream of which it is to miss none.
  var position: Int

  /// What `Site.tick` gives, from now on.
  static let own = EventStream(channel: "", position: 0)
}

/// What a client gets.
struct Response {
  enum Body {
    case bytes([UInt8])
    /// The connection stays open and gets the events of this stream.
    case events(EventStream)
  }

  var status: Int
  var headers: [(name: String, value: String)]
  var body: Body

  /// A page, a picture or figures.
  init(status: Int = 200, type: String, _ body: [UInt8], headers: [(name: String, value: String)] = []) {
    self.status = status
    self.headers = [("Content-Type", type)] + headers
    self.body = .bytes(body)
  }

  /// A line of text.
  init(status: Int, _ text: String, headers: [(name: String, value: String)] = []) {
    self.init(status: status, type: "text/plain; charset=utf-8", Array((text + "\n").utf8), headers: headers)
  }

  private init(status: Int, headers: [(name: String, value: String)], body: Body) {
    (self.status, self.headers, self.body) = (status, headers, body)
  }

  /// The site's own stream of server-sent events.
  static let events = events(.own)

  /// A stream of server-sent events.
  static func events(_ stream: EventStream) -> Response {
    Response(status: 200, headers: [("Content-Type", "text/event-stream")], body: .events(stream))
  }

  /// Sends the client to another page of this site.
  static func redirect(to path: String, headers: [(name: String, value: String)] = []) -> Response {
    Response(status: 303, headers: [("Location", path)] + headers, body: .bytes([]))
  }

  /// The client has the newest already.
  static func unchanged(tag: String) -> Response { Response(status: 304, headers: [("ETag", tag)], body: .bytes([])) }

  /// On every response: nothing from elsewhere is loaded or run, nothing of ours is shown inside a foreign page, and no
  /// address is told.
  private static let security = [
    "Content-Security-Policy: default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
      + "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options: nosniff",
    "Referrer-Policy: no-referrer",
    "Cross-Origin-Resource-Policy: same-origin",
  ]

  /// The lines before the body.
  func head(keepsAlive: Bool) -> [UInt8] {
    var lines =
      ["HTTP/1.1 \(status) \(Self.reasons[status] ?? "Status")"] + Self.security
      + headers.map { "\($0.name): \($0.value)" }
    if !headers.contains(where: { $0.name == "Cache-Control" }) { lines.append("Cache-Control: no-store") }
    if case .bytes(let bytes) = body, status != 304 { lines.append("Content-Length: \(bytes.count)") }
    lines.append("Connection: \(keepsAlive ? "keep-alive" : "close")")
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  private static let reasons = [
    200: "OK", 201: "Created", 202: "Accepted", 303: "See Other", 304: "Not Modified", 400: "Bad Request",
    403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type", 421: "Misdirected Request",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
    503: "Service Unavailable",
  ]
}
