package import Fabric
import RunModel

/// What nodes have made of a run's scan: the content of its `parts.json`.
package struct PartList: Codable, Sendable {
  /// In the order of granules.
  package var parts: [PartRecord]
}

/// How the images of a scan stand on their way to nodes: the content of a run's `uplink.json`.
package struct UplinkReport: Codable, Equatable, Sendable {
  /// The servers.
  var fabric: String
  /// Events that nodes are to have: darks, flats, projections and the end, as far as they came.
  package var events: UInt64 = 0
  /// Those that the servers have acknowledged, of every granule.
  package var acknowledged: UInt64 = 0
  /// Messages that were acknowledged, one a granule and event.
  var messages: UInt64 = 0
  /// Bytes of these.
  package var bytes: UInt64 = 0
  /// Messages whose rows were packed, and bytes that they lost by that; each time that they were published;
  /// nil where none were.
  package private(set) var packed: UInt64?
  private(set) var saved: UInt64?
  /// Whether rows are packed at present, where that is decided as it goes; nil before it was first decided.
  var isPacking: Bool?
  /// How often it was asked where the streams are, but for the first time.
  package var resyncs = 0
  /// Messages that the servers refused.
  package var refused = 0
  /// Streams that had less than they had acknowledged, and were filled again.
  var refilled = 0
  /// Streams in which somebody else had published, which were removed and filled again.
  var replaced = 0
  /// Messages that nodes asked for, as their streams did not have them.
  package var replayed: UInt64 = 0
  /// What is shown in fewer pixels beside; nil where nothing is.
  package var preview: Preview?
  /// Why nothing goes up at present; nil while it does.
  package var away: String?
  /// Bytes a second that were acknowledged of late.
  package var bytesPerSecond: Double = 0
  /// Nodes that live; nil where none was ever seen or expected.
  package var nodes: [Node]?
  /// How many there are to be; nil where nobody waits for them.
  package var nodesExpected: Int?
  /// Granules by what is done with them: `free`, `waiting`, `reading`, `sweeping`, `writing`, `made`; nil where no node
  /// was ever seen or expected.
  package var granules: [String: Int]?
  /// Granules without a part for which the run waits; nil where it waits for none.
  package var missing: [Int]?
  /// Granules that nodes have and have not made yet, with what they say of their slices; nil where nobody compares any.
  package var scores: [Granule]?
  /// When that was heard, in whole seconds since 1970; nil before, and where nobody compares slices.
  var scoresHeardAt: Double?
  /// Values of leases that were none, or whose score was not that of their granule.
  package var scoresDamaged: Int?
  /// What the streams lack.
  package var faults: [String] = []
  /// Whether the servers have the whole scan.
  package var isComplete = false
  /// Whether nothing more goes up.
  var isOver = false

  /// Projections that are shown in fewer pixels, for people at the far end of a thin link.
  package struct Preview: Codable, Equatable, Sendable {
    /// Projections that were shown.
    package var shown: UInt64 = 0
    /// Projections up to the newest of these, in the end of the whole scan, that were not.
    package var skipped: UInt64 = 0
    /// Bytes of those that were shown.
    var bytes: UInt64 = 0
    /// Why none is shown at present; nil while they are.
    var away: String?

    /// For people.
    package var words: String { "\(shown) projections shown, \(skipped) skipped" + (away.map { ": \($0)" } ?? "") }
  }

  /// A node that lives.
  package struct Node: Codable, Equatable, Sendable {
    /// Its name.
    package var name: String
    /// Its program.
    var version: String
    /// Cores that it computes with.
    package var cores: Int
    /// Granules that it is at.
    package var granules: [Int]
  }

  /// A granule that a node has.
  package struct Granule: Codable, Equatable, Sendable {
    /// Its number.
    package var granule: Int
    /// Who has it.
    package var node: String
    /// What that saw last of its slices; nil before the first score.
    package var score: GranuleScore?
    /// Whether nothing new was heard of it for so long that nobody waits for it.
    package var isSilent: Bool

    /// How similar these were to earlier ones.
    package var similarity: Double? { score?.value.similarity }
    /// Projections behind that.
    package var projections: Int? { score?.value.projections }
    /// Scores in a row that reached the threshold.
    package var streak: Int { score?.value.streak ?? 0 }
  }

  /// Of servers at an address, before anything was done.
  package init(fabric: String) { self.fabric = fabric }

  /// Says that nobody goes on with it, and why.
  package mutating func giveUp(_ reason: String) { (away, isOver) = (reason, true) }

  /// Events that wait for the servers.
  package var lag: UInt64 { events - min(events, acknowledged) }

  /// Bytes of these, were they like those before; nil where nothing went up yet.
  private var lagBytes: Double? { acknowledged > 0 ? Double(bytes) / Double(acknowledged) * Double(lag) : nil }

  /// Seconds until they are there, at the rate of late; nil where that is not known.
  package var lagSeconds: Double? {
    lag == 0 ? 0 : bytesPerSecond > 0 ? lagBytes.map { $0 / bytesPerSecond } : nil
  }

  /// Nodes, and what becomes of the granules; nil where no node was ever seen or expected.
  package var nodeWords: String? {
    guard let granuleWords, let nodes else { return nil }
    return "\(nodes.count)\(nodesExpected.map { " of \($0)" } ?? "") alive; granules: \(granuleWords)"
  }

  /// What can become of a granule.
  package static let granuleStates = ["free", "waiting", "reading", "sweeping", "writing", "made"]

  /// How many granules are in which state; nil where no node was ever seen or expected.
  package var granuleWords: String? {
    granules.map { granules in
      Self.granuleStates.compactMap { state in granules[state].map { "\($0) \(state)" } }.joined(separator: ", ")
    }
  }

  /// Takes over where a publisher is, and what it has done beside what others did `before` it.
  mutating func note(_ publisher: BandPublisher, served: UInt64, after before: UplinkReport) {
    let counts = publisher.counts
    (acknowledged, replayed) = (publisher.acknowledged, before.replayed + served)
    (messages, bytes) = (before.messages + counts.messages, before.bytes + counts.bytes)
    if before.packed != nil || counts.packed > 0 {
      (packed, saved) = ((before.packed ?? 0) + counts.packed, (before.saved ?? 0) + counts.saved)
    }
    (resyncs, refused) = (before.resyncs + counts.resyncs, before.refused + counts.refused)
    (refilled, replaced) = (before.refilled + counts.refilled, before.replaced + counts.replaced)
  }

  /// How much smaller packing made what went up; nothing where it made nothing smaller.
  private var packedWords: String {
    guard let saved, bytes > 0 else { return "" }
    return ", with \(Int((100 * Double(saved) / Double(bytes + saved)).rounded())) % fewer bytes than they have"
  }

  /// For people.
  package var words: String {
    let now = isPacking.map { $0 && !isOver ? "; compressing, as the link does not keep up" : "" } ?? ""
    let state = "\(fabric) has \(acknowledged) of \(events) events\(packedWords)\(now)"
    if let away { return "\(state); \(isOver ? "the others do not reach nodes" : "the others wait"): \(away)" }
    if isOver, !isComplete { return "\(state); the others do not reach nodes: the uplink was asked to end" }
    return faults.isEmpty ? state : "\(state); \(faults.joined(separator: "; "))"
  }
}
