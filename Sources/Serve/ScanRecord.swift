import Run
import RunModel

/// What is known of one scan of a server, for people and programs that look: the entry of the queue, and of a scan that
/// is being reconstructed how far that is.
package struct ScanRecord: Codable, Equatable, Sendable {
  /// What happens to a scan, in a scientist's words.
  package enum Activity: String, Codable, CaseIterable, Sendable {
    /// It is in the queue.
    case waiting
    /// Its projections come in.
    case scanning
    /// All of its projections are there, and not all of them used.
    case catchingUp = "catching up"
    /// Iterations over all projections.
    case finalIterations = "final iterations"
    /// Its files are written.
    case writing
    /// Its volume is there.
    case finished
    /// It has none, and somebody has to look why.
    case failed
    /// A person has taken it out of the queue.
    case removed
  }

  /// How far the reconstruction is.
  package struct ScanProgress: Codable, Equatable, Sendable {
    /// Projections acquired, and of the scan.
    package let acquired: Int
    package let projections: Int
    /// Updates of the volume so far.
    package let updates: Int
    /// Done of what happens now, 0…1.
    package let fraction: Double
  }

  /// Its number in the queue, for good.
  package let number: Int
  /// What becomes of it next.
  package let state: QueueEntry.EntryState
  /// The same, more closely.
  package var activity: Activity
  /// What is measured.
  package let sample: String?
  /// The name of its source in `serve.yaml`.
  package let source: String
  /// Its scan file; nil for what a detector sends.
  package let file: String?
  /// Higher ones come first.
  package let priority: Int
  /// When it was added, its reconstruction began, and it came to its end: seconds since 1970.
  package let added: Double
  package let begun: Double?
  package let ended: Double?
  /// Seconds from the beginning of its reconstruction to its end, or until now.
  package let duration: Double?
  /// How often its reconstruction was begun or gone on with.
  package let attempts: Int
  /// Projections that were used.
  package let projections: Int?
  /// Frames that never came; nil where nobody counted.
  package var lost: Int?
  /// Where its volume is, or will be.
  package let output: String?
  /// Why it failed, was removed, or is begun once more.
  package let reason: String?
  /// What of it was removed to keep the disk free: its volume, or what was acquired of one without. Nil for nothing.
  package let cleared: ScanClearing?
  /// How far its reconstruction is; nil where there is none now.
  package var progress: ScanProgress?

  /// Whether nothing is to be done with it any more.
  package var isOver: Bool { state == .finished || state == .failed || state == .removed }

  /// The order of the queue, as that of entries.
  package static func comesFirst(_ first: ScanRecord, _ second: ScanRecord) -> Bool {
    QueueEntry.rank(first.state, priority: first.priority, number: first.number)
      < QueueEntry.rank(second.state, priority: second.priority, number: second.number)
  }

  /// What an entry says by itself, at the time `now`.
  init(_ entry: QueueEntry, now: Double) {
    (number, state, activity) = (entry.number, entry.state, Self.activity(entry.state))
    (sample, source, file, priority) = (entry.sample, entry.source, entry.file, entry.priority)
    (added, begun, ended) = (entry.added, entry.begun, entry.ended)
    duration = entry.begun.map { max(0, (entry.ended ?? now) - $0) }
    (attempts, projections, lost) = (entry.attempts, entry.projections, entry.lost)
    (output, reason, cleared) = (entry.output, entry.reason, entry.cleared)
  }

  /// What there is to say of an entry that cannot be read.
  init(damaged number: Int, _ reason: String) {
    self.init(
      {
        var entry = QueueEntry(number: number, source: "", state: .failed, added: 0)
        entry.reason = reason
        return entry
      }(), now: 0)
  }

  /// Adds how far the run is.
  mutating func add(_ status: RunStatus) {
    progress = ScanProgress(
      acquired: status.acquired, projections: status.projections, updates: status.updates,
      fraction: status.phaseFraction)
    lost = status.losses.map { Int(clamping: $0.lost) } ?? lost
    activity =
      switch status.phase {
      case .scanning: status.acquired < status.projections ? .scanning : .catchingUp
      case .finalIterations: .finalIterations
      case .exporting, .finished, .failed: .writing
      }
  }

  private static func activity(_ state: QueueEntry.EntryState) -> Activity {
    switch state {
    case .receiving: .scanning
    case .waiting: .waiting
    // Until its run says more.
    case .running: .scanning
    case .finished: .finished
    case .failed: .failed
    case .removed: .removed
    }
  }
}
