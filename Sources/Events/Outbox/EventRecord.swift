import Foundation

/// A record of an outbox: the bytes that are sent, and what names them.
struct EventRecord: Sendable {
  /// The run's identifier, which is the record's key.
  let run: String
  let topic: EventTopic
  let sequence: Int
  /// An `EventEnvelope` as JSON.
  let text: [UInt8]
  /// Whether it tells that the run is over.
  let isLast: Bool
  /// In scores, the event of the run's topic that it tells of.
  let source: UInt64?

  /// What is looked at of a record.
  private struct Head: Decodable {
    struct Body: Decodable {
      let event: String?
      let source: UInt64?
    }

    let run: String
    let topic: EventTopic
    let sequence: Int
    let body: Body
  }

  /// The most bytes of a record; smaller than what any sink refuses.
  static let byteCountMax = 64 << 10
  /// What a run's last record of `runs` says of itself.
  static let endWord = "ended"
  private static let runLengthMax = 64

  /// Reads a line; nil for one that no run wrote.
  init?(line: ArraySlice<UInt8>) {
    guard line.count <= Self.byteCountMax, let head = try? JSONDecoder().decode(Head.self, from: Data(line)),
      (1...Self.runLengthMax).contains(head.run.utf8.count), head.run.utf8.allSatisfy({ 0x21...0x7E ~= $0 }),
      head.sequence >= 0
    else { return nil }
    (run, topic, sequence, text) = (head.run, head.topic, head.sequence, Array(line))
    (isLast, source) = (head.topic == .runs && head.body.event == Self.endWord, head.body.source)
  }
}
