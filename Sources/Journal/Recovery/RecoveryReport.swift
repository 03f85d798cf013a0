/// What a scan found, and what recovery did.
public struct RecoveryReport: Sendable, Equatable, Codable {
  /// The lowest sequence that the journal keeps.
  public var firstSequence: UInt64
  /// The sequence after the last record.
  public var nextSequence: UInt64
  /// All sequences below it were acknowledged, as far as records, segments and the caller say.
  public var durableThrough: UInt64
  /// The highest epoch seen.
  public var epoch: UInt64
  /// How the journal ends.
  public var decision: RecoveryDecision
  /// The label of the rule that says so, in `RecoveryRule.table`.
  public var rule: String
  /// What was acknowledged and is not there. Empty unless the decision of some rule was corruption.
  public var damages: [JournalDamage]
  /// What salvage gave up.
  public var losses: [Range<UInt64>]
  /// The files of segments.
  public var segments: [String]
  /// Segments whose header page is damaged and was derived from their records.
  public var rebuiltSegments: [String]
  /// Segments whose header page is damaged and that nothing needs.
  public var setAsideSegments: [String]
  /// The records that were looked at.
  public var recordCount: Int

  /// Whether everything acknowledged is there.
  public var isIntact: Bool { damages.isEmpty }

  init(_ scan: JournalScan) {
    guard let endRule = scan.endRule else { preconditionFailure("a scan without an end") }
    firstSequence = scan.first
    nextSequence = scan.position
    durableThrough = scan.durableThrough
    epoch = scan.epochHighest
    decision = scan.damages.isEmpty ? endRule.decision : .corruption
    rule = endRule.label
    damages = scan.damages
    losses = scan.losses
    segments = scan.catalog.segments.map(\.name)
    rebuiltSegments = scan.catalog.decisions.filter { $0.decision == .rebuilt }.map(\.name)
    setAsideSegments = scan.catalog.decisions.filter { $0.decision == .setAside }.map(\.name)
    recordCount = scan.recordCount
  }
}
