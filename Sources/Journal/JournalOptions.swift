/// How a journal writes. Every limit has a default that suits a scan.
public struct JournalOptions: Sendable {
  /// The bytes of a segment, its header included; at least two records.
  public var segmentByteCount = 256 << 20
  /// The most records of a segment, at least two: what a restart looks at one by one.
  public var segmentRecordLimit = 4096
  /// A batch is submitted when it has so many bytes …
  public var batchByteCount = 4 << 20
  /// … and takes what has come meanwhile, up to so many: a device that is behind is asked for fewer syncs.
  public var batchByteCountMax = 16 << 20
  /// It is submitted too when its first record has waited so long, or nothing is in flight …
  public var batchDelay = Duration.milliseconds(1)
  /// … but not so soon after the last one: a record that comes alone is written at once, many in a row share a sync.
  public var batchSpacing = Duration.zero
  /// How long to wait for the locks of a writer that died.
  public var lockWait = Duration.seconds(30)
  /// How long a batch may take before the device counts as stalled.
  public var stallLimit = Duration.seconds(30)
  /// How long to wait, when the disk is full, before room is looked for again.
  public var fullRetryDelay = Duration.milliseconds(10)
  /// Sequences below it are durable by other evidence: a reader's checkpoint, what a ring had published. Recovery finds it corrupt if one of
  /// them is not there.
  public var durableFloor: UInt64 = 0
  /// How much recovery reads.
  public var depth = RecoveryDepth.tail
  /// Whether a new writer appends a `recovered` event, and takes records of its own epoch only. Without it, sequences are those of a ring
  /// whose writer goes on after events that its predecessor committed and could not journal any more: epochs may rise from record to record.
  public var announcesRecovery = true
  package var rules = JournalRules()

  /// The defaults.
  public init() {}
}

/// How much recovery reads of what earlier segments vouch for.
public enum RecoveryDepth: Sendable {
  /// The headers of segments, the headers of records from the newest durable segment on, and the payloads beyond what is known to be
  /// durable: restart takes no longer for a longer journal. Sealed segments are for `verifyJournal`.
  case tail
  /// All of it.
  case everything
}
