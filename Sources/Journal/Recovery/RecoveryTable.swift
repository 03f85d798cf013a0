/// What the first record that is not as expected turned out to be.
package enum RecordFinding: String, Sendable, Codable, CaseIterable, CustomStringConvertible {
  /// The whole slot is zeros: nothing was written there.
  case zeros
  /// The header's checksum is wrong.
  case torn
  /// The header is whole; metadata or payload are not what it says.
  case payload
  /// The device cannot read it.
  case unreadable
  /// A whole header of another run, topic, partition or version, or with impossible values.
  case foreign
  /// A whole header of this topic with another sequence.
  case misplaced
  /// A whole header of an earlier epoch than the record before it.
  case epochBack
  /// A whole header that does not follow the record before it.
  case chainBroken
  /// No segment holds it.
  case missing

  /// What is wrong.
  package var description: String {
    switch self {
    case .zeros: "nothing was written there"
    case .torn: "the header's checksum is wrong"
    case .payload: "the payload's checksum is wrong"
    case .unreadable: "the device cannot read it"
    case .foreign: "it is another topic's or another version's record"
    case .misplaced: "it is another record of this topic"
    case .epochBack: "its epoch is before that of the record before it"
    case .chainBroken: "it does not follow the record before it"
    case .missing: "no segment holds it"
    }
  }
}

/// What lies after it, where records would be.
package enum LaterFinding: String, Sendable, Codable, CaseIterable {
  /// Zeros to the end, or no place for records at all.
  case nothing
  /// Bytes that are no record.
  case garbage
  /// A whole header in its own place.
  case record
}

/// What recovery does about it.
package enum RecoveryDecision: String, Sendable, Codable, CaseIterable {
  /// The journal ends here, and goes on here.
  case cleanEnd
  /// The last write was cut off. Its bytes are kept; the journal goes on in a new segment.
  case tornTail
  /// Writes in flight reached the disk in part. None was acknowledged; their bytes are kept; the journal goes on in a
  /// new segment.
  case tornMiddle
  /// Something that was acknowledged, or what identifies it, is not what was written. Nothing is changed, and the
  /// journal is not opened.
  case corruption
}

/// A row of the table that the scan decides by.
package struct RecoveryRule: Sendable {
  /// Its name in reports.
  package let label: String
  /// What the record is.
  package let records: Set<RecordFinding>
  /// Whether the record was acknowledged: its sequence is below a `durableThrough`; nil where it makes no difference.
  package let isAcknowledged: Bool?
  /// What lies after it.
  package let later: Set<LaterFinding>
  /// What is decided.
  package let decision: RecoveryDecision
  /// Why that is right.
  package let argument: String

  /// The rules, one and only one of which holds for each combination of findings.
  package static let table: [RecoveryRule] = [
    RecoveryRule(
      label: "R1", records: [.zeros, .missing], isAcknowledged: false, later: [.nothing], decision: .cleanEnd,
      argument: "Segments are zeros until they are written, and whatever was acknowledged is on disk."),
    RecoveryRule(
      label: "R2", records: [.zeros], isAcknowledged: false, later: [.garbage], decision: .tornTail,
      argument:
        "Later blocks of the last batch were written and earlier ones not: the disk orders nothing before a sync."),
    RecoveryRule(
      label: "R3", records: [.torn, .payload, .unreadable], isAcknowledged: false, later: [.nothing, .garbage],
      decision: .tornTail,
      argument:
        "The batch was never synced, so nobody was told of it. The bytes are evidence: they are not written over."),
    RecoveryRule(
      label: "R4", records: [.zeros, .torn, .payload, .unreadable], isAcknowledged: false, later: [.record],
      decision: .tornMiddle,
      argument:
        """
        Two batches are in flight at most and are acknowledged in order, \
        so what follows a hole was not acknowledged either.
        """
    ),
    RecoveryRule(
      label: "R5", records: [.zeros, .torn, .payload, .unreadable], isAcknowledged: true,
      later: [.nothing, .garbage, .record],
      decision: .corruption,
      argument: "A later record, a segment or a checkpoint says that it was durable. The disk lost or changed it."),
    RecoveryRule(
      label: "R6", records: [.foreign, .misplaced, .epochBack, .chainBroken], isAcknowledged: nil,
      later: [.nothing, .garbage, .record],
      decision: .corruption,
      argument:
        """
        No cut-off write leaves a whole header with a right checksum in the wrong place: \
        segments are new files of zeros.
        """
    ),
    RecoveryRule(
      label: "R7", records: [.missing], isAcknowledged: true, later: [.nothing, .garbage, .record],
      decision: .corruption,
      argument: "Segments are made durable before their first record, and retention puts on record what it removes."),
    RecoveryRule(
      label: "R8", records: [.missing], isAcknowledged: false, later: [.garbage, .record], decision: .corruption,
      argument: "A segment begins where the one before it ends; one between them was removed by somebody else."),
  ]

  /// The rule for what was found.
  static func rule(record: RecordFinding, isAcknowledged: Bool, later: LaterFinding) -> RecoveryRule {
    for rule in table where rule.holds(record, isAcknowledged, later) { return rule }
    preconditionFailure("no rule for \(record), \(isAcknowledged), \(later)")
  }

  /// Whether the rule is for what was found.
  package func holds(_ record: RecordFinding, _ isAcknowledged: Bool, _ later: LaterFinding) -> Bool {
    records.contains(record) && self.isAcknowledged ?? isAcknowledged == isAcknowledged && self.later.contains(later)
  }
}

/// What is decided about a segment by its first page.
enum SegmentDecision: String, Sendable, Codable, CaseIterable {
  /// The page is whole and this journal's.
  case used
  /// The page is damaged; its first record, and the numbers of the other segments, leave one place for it. The scan
  /// checks the chain.
  case rebuilt
  /// The page is damaged and no record tells what it was. It holds nothing that can be used; the scan finds what is
  /// missing.
  case setAside
  /// The page is whole and another journal's, or says something else than the file's name. The journal is not opened.
  case foreign
}
