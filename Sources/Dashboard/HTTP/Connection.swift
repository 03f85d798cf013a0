import Glibc

/// One client: what it sent and was not yet understood, what it is to get and has not yet taken, and until when.
struct Connection {
  let descriptor: Int32
  private var input: [UInt8] = []
  /// Pictures are shared between clients, not copied.
  private var output: [[UInt8]] = []
  /// Of `output[0]`.
  private var sent = 0
  /// Nil for a client that speaks in plain text.
  private var tls: TLSSession?
  /// Of `output` what is encrypted already, and what TLS itself has to say.
  private var sealed: [UInt8] = []
  /// The events that it gets; nil for a client that asks for something.
  private(set) var stream: EventStream?
  /// Whether `input` holds more than was answered in this turn of the server.
  private var isBehind = false
  private var closesAfterOutput = false
  /// When the client's time for what it is doing is over.
  private(set) var deadline: ContinuousClock.Instant
  /// When it got an event, or began to get these.
  private var eventSentAt = ContinuousClock.now

  /// A stream in which nothing happens is kept open with a line that says nothing so often: what lies between, as a
  /// reverse proxy, ends a silent connection after a minute or less.
  private static let silenceMax: Duration = .seconds(15)
  private static let comment = Array(": alive\n\n".utf8)

  /// For a whole request, from its first byte.
  static let requestLimit: Duration = .seconds(10)
  /// Between two requests.
  static let idleLimit: Duration = .seconds(30)
  /// For taking what was sent; a client that takes nothing for so long is let go.
  static let outputLimit: Duration = .seconds(20)
  /// Requests of one client that are answered before the others have their turn.
  private static let answersPerTurn = 16
  /// Encrypted at a time.
  private static let sealedMax = 64 << 10

  init(descriptor: Int32, tls: TLSSession? = nil, now: ContinuousClock.Instant) {
    (self.descriptor, self.tls) = (descriptor, tls)
    deadline = now + Self.requestLimit
  }

  var getsEvents: Bool { stream != nil }
  /// Whether nothing is under way, so that it may be closed for another client.
  var isIdle: Bool { !getsEvents && input.isEmpty && !hasOutput }
  var hasOutput: Bool { !output.isEmpty || !sealed.isEmpty }
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
    var said = buffer[..<count]
    do throws(TLSSession.Failure) { said = try opened(said) } catch {
      // What TLS has to say of its end is sent where the client takes it at once.
      _ = send(now: now)
      return .ends
    }
    // A client that only listens has nothing more to say.
    if getsEvents { said = [] }
    if input.isEmpty, !said.isEmpty { deadline = now + Self.requestLimit }
    input += said
    return goOn(now: now, respond: respond)
  }

  /// What the client says with `bytes`.
  private mutating func opened(_ bytes: ArraySlice<UInt8>) throws(TLSSession.Failure) -> ArraySlice<UInt8> {
    guard let session = tls else { return bytes }
    if session.isNew, let first = bytes.first, !TLSSession.begins(first) {
      tls = nil
      refuse(400, "this is served as https:// only")
      return []
    }
    defer { sealed += session.takeOutput() }
    return try session.open(bytes)[...]
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
  mutating func refuse(_ status: Int, _ reason: String = "the request was refused") {
    let allowed = status == 405 ? [("Allow", "GET, HEAD, POST")] : []
    let response = Response(status: status, reason, headers: allowed)
    output.append(response.head(keepsAlive: false))
    if case .bytes(let bytes) = response.body { output.append(bytes) }
    (closesAfterOutput, input) = (true, [])
  }

  /// Sends an event, unless the client has not taken the last one: then this one is left out for it, and the next is
  /// newer.
  mutating func send(event: [UInt8], position: Int = 0, now: ContinuousClock.Instant) -> Next {
    guard getsEvents, !hasOutput else { return .goesOn }
    output.append(event)
    stream?.position = position
    (deadline, eventSentAt) = (now + Self.outputLimit, now)
    return send(now: now)
  }

  /// Says that the stream goes on, where it has said nothing for long.
  mutating func keepAlive(now: ContinuousClock.Instant) -> Next {
    guard let stream, now - eventSentAt >= Self.silenceMax else { return .goesOn }
    return send(event: Self.comment, position: stream.position, now: now)
  }

  /// Sends what the client takes.
  mutating func send(now: ContinuousClock.Instant) -> Next {
    // A client that sends its request byte by byte gets no more time with each of them.
    guard hasOutput else { return .goesOn }
    while hasOutput {
      guard let count = sendNext() else { return errno == EAGAIN || errno == EINTR ? .goesOn : .ends }
      // Nothing could be encrypted.
      guard count > 0 else { return .ends }
      // Agreeing on keys is part of the time for a request.
      if tls?.isEstablished ?? true { deadline = now + Self.outputLimit }
    }
    if closesAfterOutput { return .ends }
    guard tls?.isEstablished ?? true else { return .goesOn }
    deadline = now + (getsEvents ? .seconds(3600) : input.isEmpty ? Self.idleLimit : Self.requestLimit)
    return .goesOn
  }

  /// Sends what comes next, as much as the client takes; returns how much that is, nil with `errno` for a failure.
  private mutating func sendNext() -> Int? {
    guard let tls else {
      guard let first = output.first else { return 0 }
      // A head is not sent alone: it goes out with what follows it.
      let count = first.withUnsafeBytes { bytes in
        transmit(UnsafeRawBufferPointer(rebasing: bytes[sent...]), hasMore: output.count > 1)
      }
      if let count { drop(count) }
      return count
    }
    seal(with: tls)
    guard let count = sealed.withUnsafeBytes({ transmit($0, hasMore: false) }) else { return nil }
    sealed.removeFirst(count)
    return count
  }

  /// Encrypts what comes next.
  private mutating func seal(with session: TLSSession) {
    while sealed.count < Self.sealedMax, let first = output.first {
      let count = first.withUnsafeBytes { try? session.seal(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      guard let count else { break }
      sealed += session.takeOutput()
      drop(count)
      if output.isEmpty, closesAfterOutput {
        session.end()
        sealed += session.takeOutput()
      }
    }
  }

  /// Takes what was sent, or encrypted, from the output.
  private mutating func drop(_ count: Int) {
    sent += count
    guard let first = output.first, sent == first.count else { return }
    output.removeFirst()
    sent = 0
  }

  private func transmit(_ bytes: UnsafeRawBufferPointer, hasMore: Bool) -> Int? {
    let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL | (hasMore ? MSG_MORE : 0))
    let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
    return count < 0 ? nil : count
  }
}
