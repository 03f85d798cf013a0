/// What a scan found, and what recovery did.
package struct RecoveryReport: Sendable, Equatable, Codable {
  /// The lowest sequence that the journal keeps.
  package var firstSequence: UInt64
  /// The sequence after the last record.
  package var nextSequence: UInt64
  /// All sequences below it were acknowledged, as far as records, segments and the caller say.
  package var durableThrough: UInt64
  /// The highest epoch seen.
  package var epoch: UInt64
  /// How the journal ends.
  package var decision: RecoveryDecision
  /// The label of the rule that says so, in `RecoveryRule.table`.
  package var rule: String
  /// What was acknowledged and is not there. Empty unless the decision of some rule was corruption.
  package var damages: [JournalDamage]
  /// What salvage gave up.
  package var losses: [Range<UInt64>]
  /// The files of segments.
  package var segments: [String]
  /// Segments whose header page is damaged and was derived from their records.
  package var rebuiltSegments: [String]
  /// Segments whose header page is damaged and that nothing needs.
  var setAsideSegments: [String]
  /// The records that were looked at.
  package var recordCount: Int

  /// Whether everything acknowledged is there.
  package var isIntact: Bool { damages.isEmpty }

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
