package import RunModel

/// What a live source has lost, for people and programs: the content of a run's `losses.json`.
package struct LossReport: Equatable, Sendable {
  /// In numbers.
  package var counts: Losses
  /// Messages that were dropped, by what was wrong with them.
  package var malformed: [String: Int]
  /// First and last number of each gap; the newest ones where there are very many.
  package var gaps: [[UInt64]]

  /// What a ledger says, in numbers of frames as the detector counts them.
  package init(_ ledger: LossLedger, firstFrame: UInt64) {
    counts = ledger.losses
    malformed = Dictionary(
      uniqueKeysWithValues: MessageFault.allCases.compactMap { fault in
        ledger.malformed[fault.rawValue] > 0 ? (fault.name, Int(ledger.malformed[fault.rawValue])) : nil
      })
    gaps = ledger.gaps.map { [$0.lowerBound + firstFrame, $0.upperBound - 1 + firstFrame] }
  }

  /// For the attributes of an output.
  package var facts: [String: String] {
    [
      "source_lost_frames": "\(counts.lost)", "source_duplicate_frames": "\(counts.duplicates)",
      "source_interpolated_projections": "\(counts.interpolated)",
      "source_dropped_messages": "\(counts.malformed)",
      "source_gaps": gaps.map { $0[0] == $0[1] ? "\($0[0])" : "\($0[0])-\($0[1])" }.joined(separator: " "),
    ]
  }
}

/// In JSON the numbers stand side by side with the rest, and what was malformed stands by its faults.
extension LossReport: Codable {
  private enum CodingKeys: String, CodingKey {
    case lost, duplicates, late, interpolated, invalid, malformed, gaps
  }

  /// Reads what `encode` wrote.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    malformed = try fields.decode([String: Int].self, forKey: .malformed)
    gaps = try fields.decode([[UInt64]].self, forKey: .gaps)
    counts = Losses(
      lost: try fields.decode(Int.self, forKey: .lost), duplicates: try fields.decode(Int.self, forKey: .duplicates),
      late: try fields.decode(Int.self, forKey: .late),
      interpolated: try fields.decode(Int.self, forKey: .interpolated),
      invalid: try fields.decode(Int.self, forKey: .invalid), malformed: malformed.values.reduce(0, +))
  }

  /// Writes one object.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(counts.lost, forKey: .lost)
    try fields.encode(counts.duplicates, forKey: .duplicates)
    try fields.encode(counts.late, forKey: .late)
    try fields.encode(counts.interpolated, forKey: .interpolated)
    try fields.encode(counts.invalid, forKey: .invalid)
    try fields.encode(malformed, forKey: .malformed)
    try fields.encode(gaps, forKey: .gaps)
  }
}
