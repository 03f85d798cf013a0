internal import CCurl
import Foundation
import Host

/// A service that takes records by HTTP, one a request:
///
/// ```
/// POST …/topics/beamline.runs/records         Authorization: Bearer <token>
/// {"key": {"type": "STRING", "data": "<run>"},
///  "value": {"type": "JSON", "data": { … the event … }},
///  "headers": [{"name": "run", "value": "<base64>"}, {"name": "topic", …}, {"name": "sequence", …}]}
/// ```
///
/// It has the record when it answers with 2xx and, where its JSON has an `error_code`, that is below 300. What it
/// refuses with 4xx it will not take later either, but for 401 (the token is read again), 408, 425 and 429. Everything
/// else is tried again, one request at a time, after one second at first and half a minute at most.
final class DiasporaSink: EventSink {
  private(set) var problem: String?
  private let url: String
  private let address: EventAddress
  private let settings: EventSettings
  private let multi = curl_multi_init()
  private let requests = (0..<requestCount).map { _ in PostRequest() }
  private var failures = 0
  private var due = ContinuousClock.now

  /// So many requests may be on their way: a service that is far away takes a while for each.
  private static let requestCount = 8
  /// Refusals that may end.
  private static let passing = [401, 408, 425, 429]
  private static let delayMax: Duration = .seconds(30)

  private struct RecordBody: Encodable {
    struct Typed: Encodable {
      let type: String
      let data: String
    }

    struct Header: Encodable {
      let name: String
      let value: String
    }

    let key: Typed
    let headers: [Header]
  }

  private struct Reply: Decodable {
    let errorCode: Int
    private enum CodingKeys: String, CodingKey { case errorCode = "error_code" }
  }

  /// A service at an address of Diaspora.
  init(_ address: EventAddress, _ settings: EventSettings) {
    guard case .diaspora(let url) = address.way else { preconditionFailure("\(address) is no service of Diaspora") }
    (self.url, self.address, self.settings) = (url, address, settings)
  }

  deinit {
    for request in requests where request.number != nil { curl_multi_remove_handle(multi, request.handle) }
    curl_multi_cleanup(multi)
  }

  var window: Int { requests.count }

  func send(_ record: EventRecord, number: Int) -> Bool {
    let isAlone = requests.allSatisfy { $0.number == nil }
    guard due <= .now, failures == 0 || isAlone, let request = requests.first(where: { $0.number == nil }) else {
      return false
    }
    let authorization: String?
    do { authorization = try settings.token().map { "Authorization: Bearer \($0)" } } catch {
      fail(error.description)
      return false
    }
    request.prepare(
      Self.body(record), to: "\(url)/topics/\(address.name(of: record.topic))/records", authorization: authorization,
      authorities: settings.authoritiesFile, number: number)
    curl_multi_add_handle(multi, request.handle)
    return true
  }

  func answers(waiting limit: Duration) -> [SinkAnswer] {
    let deadline = Deadline(after: limit)
    var answers: [SinkAnswer] = []
    repeat {
      var running: Int32 = 0
      curl_multi_perform(multi, &running)
      answers += finished()
      guard answers.isEmpty else { return answers }
      curl_multi_poll(multi, nil, 0, max(1, Int32(deadline.remaining / .milliseconds(1))), nil)
    } while !deadline.hasPassed
    return answers
  }

  private func finished() -> [SinkAnswer] {
    var answers: [SinkAnswer] = [], left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE,
        let request = requests.first(where: { $0.handle == message.pointee.easy_handle }), let number = request.number
      else { continue }
      let result = message.pointee.data.result
      curl_multi_remove_handle(multi, request.handle)
      switch request.finish(result) {
      case .answered(let status, let text): answers.append(.init(number: number, verdict: verdict(status, text)))
      case .failed(let words):
        fail(words)
        answers.append(.init(number: number, verdict: .later))
      }
    }
    return answers
  }

  private func verdict(_ status: Int, _ text: [UInt8]) -> SinkAnswer.Verdict {
    var (code, words) = (status, "HTTP status \(status)")
    if (200..<300).contains(status), let reply = try? JSONDecoder().decode(Reply.self, from: Data(text)) {
      (code, words) = (reply.errorCode, "error code \(reply.errorCode)")
    }
    switch code {
    case 200..<300:
      (problem, failures) = (nil, 0)
      return .taken
    case 400..<500 where !Self.passing.contains(code):
      failures = 0
      return .refused(words)
    // Some services have codes of five digits, the first three of which are those of HTTP.
    case 40_000..<50_000 where !Self.passing.contains(code / 100):
      failures = 0
      return .refused(words)
    default:
      fail("it answered with \(words)")
      return .later
    }
  }

  /// Waits before the next request; those that fail meanwhile fail for the same reason.
  private func fail(_ words: String) {
    problem = words
    guard due <= .now else { return }
    failures = min(failures + 1, 6)
    due = .now + min(Self.delayMax, .milliseconds(500 << failures))
  }

  /// The record around the event, whose bytes stay as they are.
  private static func body(_ record: EventRecord) -> [UInt8] {
    let fields = [("run", record.run), ("topic", record.topic.rawValue), ("sequence", "\(record.sequence)")]
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let around = RecordBody(
      key: .init(type: "STRING", data: record.run),
      headers: fields.map { .init(name: $0.0, value: Data($0.1.utf8).base64EncodedString()) })
    guard let text = try? encoder.encode(around) else { preconditionFailure("words are JSON") }
    return Array(text.dropLast()) + Array(#","value":{"type":"JSON","data":"#.utf8) + record.text + Array("}}".utf8)
  }
}
