package import RunModel

/// What a live source has lost, for people and programs: the content of a run's `losses.json`.
package struct LossReport: Codable, Equatable, Sendable {
  /// Frames that never came.
  package var lost: Int
  /// Frames that came twice and were dropped.
  package var duplicates: Int
  /// Frames that came after one with a higher number, and were used.
  package var late: Int
  /// Lost projections in whose place an interpolated one was used.
  package var interpolated: Int
  /// Frames that the detector marked as invalid.
  package var invalid: Int
  /// Messages that were dropped, by what was wrong with them.
  package var malformed: [String: Int]
  /// First and last number of each gap; the newest ones where there are very many.
  package var gaps: [[UInt64]]

  /// What a ledger says, in numbers of frames as the detector counts them.
  package init(_ ledger: LossLedger, firstFrame: UInt64) {
    (lost, duplicates, late) = (ledger.lost, ledger.duplicates, ledger.late)
    (interpolated, invalid) = (ledger.interpolated, ledger.invalid)
    malformed = Dictionary(
      uniqueKeysWithValues: MessageFault.allCases.compactMap { fault in
        ledger.malformed[fault.rawValue] > 0 ? (fault.name, Int(ledger.malformed[fault.rawValue])) : nil
      })
    gaps = ledger.gaps.map { [$0.lowerBound + firstFrame, $0.upperBound - 1 + firstFrame] }
  }

  /// Messages that were dropped.
  package var malformedCount: Int { malformed.values.reduce(0, +) }

  /// For the attributes of an output.
  package var facts: [String: String] {
    [
      "source_lost_frames": "\(lost)", "source_duplicate_frames": "\(duplicates)",
      "source_interpolated_projections": "\(interpolated)",
      "source_dropped_messages": "\(malformedCount)",
      "source_gaps": gaps.map { $0[0] == $0[1] ? "\($0[0])" : "\($0[0])-\($0[1])" }.joined(separator: " "),
    ]
  }
}
