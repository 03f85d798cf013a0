import Host

/// One scan of a queue: where its images are, and what became of it. The content of its `entry.json`.
package struct QueueEntry: Codable, Equatable, Sendable {
  /// What becomes of it next.
  package enum EntryState: String, Codable, CaseIterable, Sendable {
    /// Its frames come in, and not enough is known of it yet to begin.
    case receiving
    /// It is to be reconstructed; its frames may still come in.
    case waiting
    /// It is being reconstructed.
    case running
    /// Its volume is there.
    case finished
    /// It has none, and somebody has to look why; what came of it is kept.
    case failed
    /// A person has taken it out of the queue; what came of it is kept.
    case removed
  }

  /// Its place in the queue, for good; counted from 1.
  package let number: Int
  /// The name of its source in `serve.yaml`.
  let source: String
  /// A scan file; nil for one that a detector sends, whose frames lie in the entry's spool.
  let file: String?
  /// What tells this content of the file from another one in its place.
  let fileIdentity: [Int]?
  /// What is measured, as a folder may be named.
  package var sample: String?
  /// What becomes of it next.
  package var state: EntryState
  /// Higher ones come first; those that are the same in the order of their numbers.
  var priority = 0
  /// When it was added, in seconds since 1970.
  let added: Double
  /// When its reconstruction began for the first time.
  var begun: Double?
  /// When it finished or failed.
  var ended: Double?
  /// How often its reconstruction was begun or gone on with.
  var attempts = 0
  /// How often a person had it tried again, each time with another run; nil for never.
  var retries: Int?
  /// Why it failed, or why it is begun once more.
  package var reason: String?
  /// Where its volume is, or will be.
  package var output: String?
  /// Its run's folder.
  var run: String?
  /// Projections that were used.
  package var projections: Int?
  /// Frames that the detector sent, or counted, and that did not come.
  package var lost: Int?
  /// Checksum of the volume.
  package var volumeSHA256: String?
  /// What of it was removed to keep the disk free; nil for nothing.
  var cleared: ScanClearing?

  /// An entry as given.
  init(
    number: Int, source: String, file: String? = nil, fileIdentity: [Int]? = nil, sample: String? = nil,
    state: EntryState, added: Double
  ) {
    (self.number, self.source, self.file, self.fileIdentity) = (number, source, file, fileIdentity)
    (self.sample, self.state, self.added) = (sample, state, added)
  }

  /// Whether nothing becomes of it any more unless a person wants it.
  package var isOver: Bool { state == .finished || state == .failed || state == .removed }

  /// The order of the queue: first what was begun, then by priority and number.
  static func comesFirst(_ first: QueueEntry, _ second: QueueEntry) -> Bool { first.rank < second.rank }

  private var rank: (Int, Int, Int) { Self.rank(state, priority: priority, number: number) }

  /// The place of an entry among others.
  static func rank(_ state: EntryState, priority: Int, number: Int) -> (Int, Int, Int) {
    (state == .running ? 0 : 1, -priority, number)
  }

  /// Now, as the times of entries.
  static var now: Double { Double(Machine.realtimeNanoseconds) / 1e9 }
}
