import Foundation
import Testing

/// What a test's service was sent.
struct SentEvents {
  /// A record as it came: what names it, and what it says.
  struct Sent {
    let path: String
    let authorization: String?
    let topic: String
    let sequence: Int
    let run: String
    let body: [String: Any]
    /// What an envelope says of itself, as text.
    let value: [String: Any]
  }

  let all: [Sent]

  /// Reads the log of `take_events.py`.
  init(_ log: String) throws {
    let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
    all = try lines.map { line in
      let request = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      let text = try #require(request["body"] as? String)
      #expect(text.utf8.count <= 70_000)
      let record = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      let key = try #require(record["key"] as? [String: String])
      let typed = try #require(record["value"] as? [String: Any]), value = try #require(typed["data"] as? [String: Any])
      let headers = try #require(record["headers"] as? [[String: String]])
      let said = Dictionary(
        uniqueKeysWithValues: headers.map {
          ($0["name"] ?? "", String(decoding: Data(base64Encoded: $0["value"] ?? "") ?? Data(), as: UTF8.self))
        })
      let sent = Sent(
        path: try #require(request["path"] as? String), authorization: request["authorization"] as? String,
        topic: try #require(value["topic"] as? String), sequence: try #require(value["sequence"] as? Int),
        run: try #require(value["run"] as? String), body: try #require(value["body"] as? [String: Any]), value: value)
      #expect(key == ["type": "STRING", "data": sent.run] && typed["type"] as? String == "JSON")
      #expect(said == ["run": sent.run, "topic": sent.topic, "sequence": "\(sent.sequence)"])
      #expect(sent.path.hasSuffix("/topics/lab.\(sent.topic)/records"), "\(sent.path)")
      return sent
    }
  }

  /// Those of a topic, without what came again.
  func unique(_ topic: String) -> [Sent] {
    var known = Set<Int>()
    return all.filter { $0.topic == topic && known.insert($0.sequence).inserted }
      .sorted { $0.sequence < $1.sequence }
  }

  /// Whether no event of any topic is missing.
  var isDense: Bool {
    Set(all.map(\.topic)).allSatisfy { topic in unique(topic).map(\.sequence) == Array(0..<unique(topic).count) }
  }
}
