import Fabric

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
  var bytes: UInt64 = 0
  /// How often it was asked where the streams are, but for the first time.
  var resyncs = 0
  /// Messages that the servers refused.
  var refused = 0
  /// Streams that had less than they had acknowledged, and were filled again.
  var refilled = 0
  /// Streams in which somebody else had published, which were removed and filled again.
  var replaced = 0
  /// Messages that nodes asked for, as their streams did not have them.
  var replayed: UInt64 = 0
  /// Why nothing goes up at present; nil while it does.
  package var away: String?
  /// What the streams lack.
  package var faults: [String] = []
  /// Whether the servers have the whole scan.
  package var isComplete = false
  /// Whether nothing more goes up.
  var isOver = false

  /// Of servers at an address, before anything was done.
  package init(fabric: String) { self.fabric = fabric }

  /// Says that nobody goes on with it, and why.
  package mutating func giveUp(_ reason: String) { (away, isOver) = (reason, true) }

  /// Takes over where a publisher is, and what it has done beside what others did `before` it.
  mutating func note(_ publisher: BandPublisher, served: UInt64, after before: UplinkReport) {
    let counts = publisher.counts
    (acknowledged, replayed) = (publisher.acknowledged, before.replayed + served)
    (messages, bytes) = (before.messages + counts.messages, before.bytes + counts.bytes)
    (resyncs, refused) = (before.resyncs + counts.resyncs, before.refused + counts.refused)
    (refilled, replaced) = (before.refilled + counts.refilled, before.replaced + counts.replaced)
  }

  /// For people.
  package var words: String {
    let state = "\(fabric) has \(acknowledged) of \(events) events"
    if let away { return "\(state); \(isOver ? "the others do not reach nodes" : "the others wait"): \(away)" }
    if isOver, !isComplete { return "\(state); the others do not reach nodes: the uplink was asked to end" }
    return faults.isEmpty ? state : "\(state); \(faults.joined(separator: "; "))"
  }
}
