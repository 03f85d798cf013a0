package import Rings

/// A topic that goes up: whose events, and under which names the fabric has them.
package struct FabricTopic: Equatable, Sendable {
  /// Whose events.
  package let identity: RingIdentity
  /// The topic's word, as in `projections`.
  let word: String

  /// A topic of a run; `word` is one token of a subject.
  package init(run: RunID, id: UInt32, word: String) {
    precondition(!word.isEmpty && word.utf8.allSatisfy { $0 >= 0x61 && $0 <= 0x7A }, "topic '\(word)'")
    identity = RingIdentity(runID: run, topic: id, partition: 0)
    self.word = word
  }

  /// The run in names: 32 hexadecimal digits.
  private var run: String { identity.runID.description }

  /// Where a granule's messages are published.
  func subject(_ granule: Int) -> String { "slipring.\(run).\(word).\(granule)" }
  /// The stream that keeps them.
  func stream(_ granule: Int) -> String { "slipring-\(run)-p\(granule)" }
  /// Where the edge is asked for what the stream does not have.
  func replay(_ granule: Int) -> String { "slipring.\(run).replay.\(word).\(granule)" }
  /// The same of all granules.
  var replays: String { "slipring.\(run).replay.\(word).*" }
}
