/// One change of a scan of the queue, as whoever follows the queue is told of it.
package struct ScanChange: Codable, Equatable, Sendable {
  /// Its place among all changes of the queue; counted from 1, without a gap.
  package let id: Int
  /// When it happened, in seconds since 1970.
  package let time: Double
  /// The scan's number.
  package let scan: Int
  /// What becomes of the scan next.
  package let state: QueueEntry.EntryState
  /// The same before; nil for a scan that is new. Where it is no other one, something else of the scan changed.
  let previous: QueueEntry.EntryState?
  /// Its source and sample.
  let source: String
  let sample: String?
  /// Why it failed, or is begun once more.
  let reason: String?
  /// Where its volume is, or will be.
  let output: String?
  /// Projections that were used, and frames that never came.
  let projections: Int?
  let lost: Int?
  /// What of it was removed to keep the disk free.
  let cleared: ScanClearing?

  /// A reason may quote whatever a file or a detector says.
  private static let reasonLengthMax = 1000

  /// The change with this number that made an entry what it is now.
  init(id: Int, _ entry: QueueEntry, before previous: QueueEntry.EntryState?) {
    (self.id, time, self.previous) = (id, QueueEntry.now, previous)
    (scan, state, source, sample) = (entry.number, entry.state, entry.source, entry.sample)
    reason = entry.reason.map { String($0.prefix(Self.reasonLengthMax)) }
    (output, projections, lost, cleared) = (entry.output, entry.projections, entry.lost, entry.cleared)
  }

  /// Whether the scan's state is another one now.
  package var isOfState: Bool { state != previous }

  /// One line for people.
  package var words: String {
    let name = "scan \(scan)" + (sample.map { " (\($0))" } ?? "")
    let what =
      switch state {
      case _ where !isOfState && cleared != nil:
        "is \(state.rawValue), and what it left was removed by \(cleared?.by.rawValue ?? "")"
      case _ where !isOfState: "is \(state.rawValue), and something of it changed"
      case .receiving: "comes in from \(source)"
      case .waiting: previous == .running ? "is begun again: \(reason ?? "")" : "waits"
      case .running: "is reconstructed"
      case .finished: "is finished: \(output ?? "")"
      case .failed: "failed: \(reason ?? "")"
      case .removed: "was removed: \(reason ?? "")"
      }
    return "\(name) \(what)"
  }
}
