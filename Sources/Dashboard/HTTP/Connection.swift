import Glibc

/// One client: what it sent and was not yet understood, what it is to get and has not yet taken, and until when.
struct Connection {
  let descriptor: Int32
  private var input: [UInt8] = []
  /// Pictures are shared between clients, not copied.
  private var output: [[UInt8]] = []
  /// Of `output[0]`.
  private var sent = 0
  /// The events that it gets; nil for a client that asks for something.
  private(set) var stream: EventStream?
  /// Whether `input` holds more than was answered in this turn of the server.
  private var isBehind = false
  private var closesAfterOutput = false
  /// When the client's time for what it is doing is over.
  private(set) var deadline: ContinuousClock.Instant

  /// For a whole request, from its first byte.
  static let requestLimit: Duration = .seconds(10)
  /// Between two requests.
  static let idleLimit: Duration = .seconds(30)
  /// For taking what was sent; a client that takes nothing for so long is let go.
  static let outputLimit: Duration = .seconds(20)
  /// Requests of one client that are answered before the others have their turn.
  private static let answersPerTurn = 16

  init(descriptor: Int32, now: ContinuousClock.Instant) {
    self.descriptor = descriptor
    deadline = now + Self.requestLimit
  }

  var getsEvents: Bool { stream != nil }
  /// Whether nothing is under way, so that it may be closed for another client.
  var isIdle: Bool { !getsEvents && input.isEmpty && output.isEmpty }
  var hasOutput: Bool { !output.isEmpty }
  /// Whether there is something to do as soon as the client takes more.
  var waitsToSend: Bool { hasOutput || isBehind }
  /// Whether the client may be heard: not while it has not taken its last response, or has more to be answered.
  var listens: Bool { !waitsToSend && !closesAfterOutput }

  /// How a connection goes on.
  enum Next { case goesOn, ends }

  /// Reads what came and answers what is complete.
  mutating func receive(now: ContinuousClock.Instant, respond: (Request) -> Response) -> Next {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0 { return errno == EAGAIN || errno == EINTR ? .goesOn : .ends }
    guard count > 0 else { return .ends }
    // A client that only listens has nothing more to say.
    if getsEvents { return .goesOn }
    if input.isEmpty { deadline = now + Self.requestLimit }
    input += buffer[..<count]
    return goOn(now: now, respond: respond)
  }

  /// Sends what the client takes and, as long as it takes all of it, answers the next request that has come completely.
  mutating func goOn(now: ContinuousClock.Instant, respond: (Request) -> Response) -> Next {
    isBehind = false
    if send(now: now) == .ends { return .ends }
    for _ in 0..<Self.answersPerTurn where listens && !getsEvents {
      switch RequestParser.parse(input[...]) {
      case .incomplete: return .goesOn
      case .refused(let status):
        refuse(status)
      case .request(let request, let byteCount):
        input.removeFirst(byteCount)
        answer(request, respond(request))
      }
      if send(now: now) == .ends { return .ends }
    }
    isBehind = listens && !input.isEmpty
    return .goesOn
  }

  private mutating func answer(_ request: Request, _ response: Response) {
    switch response.body {
    case .bytes(let bytes):
      output.append(response.head(keepsAlive: request.keepsAlive))
      if request.method != .head, !bytes.isEmpty { output.append(bytes) }
      closesAfterOutput = !request.keepsAlive
    case .events(let stream):
      output.append(response.head(keepsAlive: true))
      (self.stream, input) = (stream, [])
    }
  }

  /// Answers what cannot be understood, or came too slowly, and ends.
  mutating func refuse(_ status: Int) {
    let allowed = status == 405 ? [("Allow", "GET, HEAD, POST")] : []
    let response = Response(status: status, "the request was refused", headers: allowed)
    output.append(response.head(keepsAlive: false))
    if case .bytes(let bytes) = response.body { output.append(bytes) }
    (closesAfterOutput, input) = (true, [])
  }

  /// Sends an event, unless the client has not taken the last one: then this one is left out for it, and the next is
  /// newer.
  mutating func send(event: [UInt8], position: Int = 0, now: ContinuousClock.Instant) -> Next {
    guard getsEvents, output.isEmpty else { return .goesOn }
    output.append(event)
    stream?.position = position
    deadline = now + Self.outputLimit
    return send(now: now)
  }

  /// Sends what the client takes.
  mutating func send(now: ContinuousClock.Instant) -> Next {
    // A client that sends its request byte by byte gets no more time with each of them.
    guard hasOutput else { return .goesOn }
    while let first = output.first {
      // A head is not sent alone: it goes out with what follows it.
      let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL | (output.count > 1 ? MSG_MORE : 0))
      let count = first.withUnsafeBytes { bytes in
        Glibc.send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, flags)
      }
      if count < 0 {
        guard errno == EAGAIN || errno == EINTR else { return .ends }
        return .goesOn
      }
      sent += count
      deadline = now + Self.outputLimit
      if sent == first.count {
        output.removeFirst()
        sent = 0
      }
    }
    if closesAfterOutput { return .ends }
    deadline = now + (getsEvents ? .seconds(3600) : input.isEmpty ? Self.idleLimit : Self.requestLimit)
    return .goesOn
  }
}
