internal import Foundation
internal import Host

/// Requests to the servers' API of streams, many at a time: with a hundred streams at 50 ms from here, one after the
/// other would take five seconds. Use from one thread at a time.
final class JetStream {
  /// A request, and what it is for in messages.
  struct Request {
    let subject: String
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    let what: String
  }

  /// What was wrong with a request, as the servers number it.
  struct Fault: Decodable, Equatable {
    let code: Int
    let err_code: Int?
    let description: String?

    static let noStream = 10059
    static let noMessage = 10037
    static let wrongSequence = 10071
    static let streamExists = 10058
    /// 10074: there is no cluster; 10005: it has too few servers for so many copies, or too few with room.
    static let fewServers = [10074, 10005]
    /// 10047: no room on the servers' disks; 10077: none in the stream; 10028: none left to the account.
    static let noRoom = [10047, 10077, 10028, 10023]

    var number: Int { err_code ?? code }

    /// The error that it is for a person.
    func error(_ what: String) -> FabricError {
      let reason = (description ?? "error \(number)").split(whereSeparator: \.isNewline).joined(separator: " ")
      switch number {
      case Self.noStream, Self.noMessage: return .missing(what)
      case Self.wrongSequence: return .conflict(what)
      case _ where Self.noRoom.contains(number): return .full(what: what, reason: reason)
      default: return .refused(what: what, reason: reason)
      }
    }
  }

  private let connection: FabricConnection
  private let inbox: FabricInbox
  private var calls: UInt64 = 0
  /// How long an answer may take.
  private let limit: Duration

  init(_ connection: FabricConnection, limit: Duration = .seconds(2)) throws(FabricError) {
    (self.connection, self.limit) = (connection, limit)
    inbox = try FabricInbox(connection)
  }

  /// Sends all requests, and waits for all answers, in the order of the requests.
  func ask(_ requests: [Request]) throws(FabricError) -> [[UInt8]] {
    let answers = try askSome(requests)
    if let index = answers.firstIndex(of: nil) { throw silence(requests[index]) }
    return answers.map { $0 ?? [] }
  }

  /// The same; nil for a request that nobody answers in time.
  func askSome(_ requests: [Request]) throws(FabricError) -> [[UInt8]?] {
    calls += 1
    for (index, request) in requests.enumerated() {
      guard
        connection.publish(
          request.subject, reply: "\(inbox.prefix).\(calls).\(index)", headers: request.headers, request.body)
      else { throw unreachable }
    }
    var answers = [[UInt8]?](repeating: nil, count: requests.count)
    var left = requests.count
    let deadline = Deadline(after: limit), unanswered = inbox.unanswered
    while left > 0 {
      guard let message = try inbox.next(timeout: deadline.remaining) else {
        if inbox.unanswered > unanswered { throw nobody(requests[answers.firstIndex(of: nil) ?? 0]) }
        if deadline.hasPassed { break }
        continue
      }
      let tokens = inbox.tokens(message)
      guard tokens.count == 2, UInt64(tokens[0]) == calls, let index = Int(tokens[1]), answers.indices.contains(index),
        answers[index] == nil
      else { continue }
      answers[index] = [UInt8](message.bytes)
      left -= 1
    }
    return answers
  }

  /// One request.
  func ask(_ request: Request) throws(FabricError) -> [UInt8] { try ask([request])[0] }

  private var unreachable: FabricError {
    connection.isClosed
      ? .closed("\(connection.address)") : .unreachable("\(connection.address)", reason: "the connection is broken")
  }

  /// What it means that nobody is there: for the API of streams, or for what a stream should take.
  private func nobody(_ request: Request) -> FabricError {
    request.subject.hasPrefix("$JS.") ? connection.noJetStream : .missing(request.what)
  }

  /// What no answer means: a server says nothing more where something is forbidden.
  func silence(_ request: Request) -> FabricError {
    if let violation = connection.violation { return .refused(what: request.what, reason: violation) }
    return connection.isConnected ? .timedOut(what: request.what, limit: limit) : unreachable
  }

  /// Reads an answer.
  static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], what: String) throws(FabricError) -> Value
  {
    do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
      throw .damaged(what: what, reason: "the answer of the servers is not understood")
    }
  }

  /// Writes a body.
  static func encode(_ body: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return [UInt8](try encoder.encode(body)) } catch { preconditionFailure("\(body): \(error)") }
  }
}
