/// How a journal writes. Every limit has a default that suits a scan.
package struct JournalOptions: Sendable {
  /// The bytes of a segment, its header included; at least two records.
  package var segmentByteCount = 256 << 20
  /// The most records of a segment, at least two: what a restart looks at one by one.
  var segmentRecordLimit = 4096
  /// A batch is submitted when it has so many bytes …
  package var batchByteCount = 4 << 20
  /// … and takes what has come meanwhile, up to so many: a device that is behind is asked for fewer syncs.
  package var batchByteCountMax = 16 << 20
  /// It is submitted too when its first record has waited so long, or nothing is in flight …
  package var batchDelay = Duration.milliseconds(1)
  /// … but not so soon after the last one: a record that comes alone is written at once, many in a row share a sync.
  package var batchSpacing = Duration.zero
  /// How long to wait for the locks of a writer that died.
  package var lockWait = Duration.seconds(30)
  /// How long a batch may take before the device counts as stalled.
  package var stallLimit = Duration.seconds(30)
  /// How long to wait, when the disk is full, before room is looked for again.
  package var fullRetryDelay = Duration.milliseconds(100)
  /// Sequences below it are durable by other evidence: a reader's checkpoint, what a ring had published. Recovery finds
  /// it corrupt if one of them is not there.
  package var durableFloor: UInt64 = 0
  /// How much recovery reads.
  package var depth = RecoveryDepth.tail
  /// Whether a new writer appends a `recovered` event, and takes records of its own epoch only. Without it, sequences
  /// are those of a ring whose writer goes on after events that its predecessor committed and could not journal any
  /// more: epochs may rise from record to record.
  package var announcesRecovery = true
  /// Whether `close` puts on record how far the journal is. Without that, nothing says of the records of a last batch
  /// that they were acknowledged, and damage among them looks like a write that was cut off.
  package var recordsEnd = false
  package var rules = JournalRules()

  /// The defaults.
  package init() {}
}

/// How much recovery reads of what earlier segments vouch for.
package enum RecoveryDepth: Sendable {
  /// The headers of segments, the headers of records from the newest durable segment on, and the payloads beyond what
  /// is known to be durable: restart takes no longer for a longer journal. Sealed segments are for `verifyJournal`.
  case tail
  /// All of it.
  case everything
}
