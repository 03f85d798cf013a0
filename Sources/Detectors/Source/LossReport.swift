import Host
package import RunModel

/// What a source has lost or left out, for people and programs: the content of a run's `losses.json`.
package struct LossReport: Equatable, Sendable {
  /// In numbers.
  package var counts: Losses
  /// Messages that were dropped, by what was wrong with them.
  package var malformed: [String: Int]
  /// First and last number of each gap; the newest ones where there are very many.
  package var gaps: [[UInt64]]
  /// The number of the scan's first frame; nil where none came, and for a scan file.
  package var firstFrame: UInt64?
  /// Projections that showed nothing and were left out.
  package var emptyProjections = 0
  /// Flat fields of which that is so.
  package var emptyFlats = 0
  /// First and last number of each range of such projections; the first ones where there are very many.
  package var emptyFrames: [[UInt64]] = []

  /// What a ledger says, in numbers of frames as the detector counts them, or of a file's projections from 0.
  /// `firstFrame` counts where the source was not asked for its first number.
  package init(_ ledger: LossLedger, firstFrame: UInt64) {
    counts = ledger.losses
    self.firstFrame = ledger.firstFrame
    let firstFrame = ledger.firstFrame ?? firstFrame
    malformed = Dictionary(
      uniqueKeysWithValues: MessageFault.allCases.compactMap { fault in
        ledger.malformed[fault.rawValue] > 0 ? (fault.name, Int(ledger.malformed[fault.rawValue])) : nil
      })
    func listed(_ ranges: [Range<UInt64>]) -> [[UInt64]] {
      ranges.map { [$0.lowerBound + firstFrame, $0.upperBound - 1 + firstFrame] }
    }
    (gaps, emptyFrames) = (listed(ledger.gaps), listed(ledger.emptyRanges))
    (emptyProjections, emptyFlats) = (ledger.empty, ledger.emptyFlats)
  }

  /// In how many gaps the lost frames are, in words.
  package var gapWords: String {
    let listed = gaps.reduce(0) { $0 + Int($1[1] - $1[0]) + 1 }
    return (listed < counts.lost ? "more than " : "") + counted(gaps.count, "gap")
  }

  /// Frames that showed nothing, in words; nil where there is none.
  package var emptyWords: String? {
    guard emptyProjections + emptyFlats > 0 else { return nil }
    let kinds = [
      (emptyProjections, "projections", Self.text(emptyFrames)), (emptyFlats, "flat fields", ""),
    ].filter { $0.0 > 0 }
    return kinds.map { count, name, numbers in
      let isListed = emptyFrames.reduce(0) { $0 + Int($1[1] - $1[0]) + 1 } == count
      return "\(count) \(name)" + (numbers.isEmpty ? "" : " (\(numbers)\(isListed ? "" : " …"))")
    }.joined(separator: " and ")
  }

  private static func text(_ ranges: [[UInt64]]) -> String {
    ranges.map { $0[0] == $0[1] ? "\($0[0])" : "\($0[0])-\($0[1])" }.joined(separator: " ")
  }

  /// For the attributes of an output.
  package var facts: [String: String] {
    var facts = [
      "source_lost_frames": "\(counts.lost)", "source_duplicate_frames": "\(counts.duplicates)",
      "source_interpolated_projections": "\(counts.interpolated)",
      "source_generated_projections": "\(counts.generated)",
      "source_dropped_messages": "\(counts.malformed)",
      "source_gaps": Self.text(gaps),
    ]
    if !malformed.isEmpty {
      facts["source_dropped_kinds"] = malformed.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        .joined(separator: ", ")
    }
    if let firstFrame { facts["source_first_frame"] = "\(firstFrame)" }
    guard emptyWords != nil else { return facts }
    return facts.merging(
      [
        "empty_projections": "\(emptyProjections)", "empty_flats": "\(emptyFlats)",
        "empty_frames": Self.text(emptyFrames),
      ]
    ) { $1 }
  }
}

/// In JSON the numbers stand side by side with the rest, and what was malformed stands by its faults.
extension LossReport: Codable {
  private enum CodingKeys: String, CodingKey {
    case lost, duplicates, late, interpolated, generated, invalid, malformed, gaps, firstFrame
    case emptyProjections, emptyFlats, emptyFrames
  }

  /// Reads what `encode` wrote.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    malformed = try fields.decode([String: Int].self, forKey: .malformed)
    gaps = try fields.decode([[UInt64]].self, forKey: .gaps)
    firstFrame = try fields.decodeIfPresent(UInt64.self, forKey: .firstFrame)
    emptyProjections = try fields.decodeIfPresent(Int.self, forKey: .emptyProjections) ?? 0
    emptyFlats = try fields.decodeIfPresent(Int.self, forKey: .emptyFlats) ?? 0
    emptyFrames = try fields.decodeIfPresent([[UInt64]].self, forKey: .emptyFrames) ?? []
    counts = Losses(
      lost: try fields.decode(Int.self, forKey: .lost), duplicates: try fields.decode(Int.self, forKey: .duplicates),
      late: try fields.decode(Int.self, forKey: .late),
      interpolated: try fields.decode(Int.self, forKey: .interpolated),
      generated: try fields.decodeIfPresent(Int.self, forKey: .generated) ?? 0,
      invalid: try fields.decode(Int.self, forKey: .invalid), malformed: malformed.values.reduce(0, +),
      empty: emptyProjections + emptyFlats)
  }

  /// Writes one object.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(counts.lost, forKey: .lost)
    try fields.encode(counts.duplicates, forKey: .duplicates)
    try fields.encode(counts.late, forKey: .late)
    try fields.encode(counts.interpolated, forKey: .interpolated)
    try fields.encode(counts.generated, forKey: .generated)
    try fields.encode(counts.invalid, forKey: .invalid)
    try fields.encode(malformed, forKey: .malformed)
    try fields.encode(gaps, forKey: .gaps)
    try fields.encodeIfPresent(firstFrame, forKey: .firstFrame)
    guard emptyWords != nil else { return }
    try fields.encode(emptyProjections, forKey: .emptyProjections)
    try fields.encode(emptyFlats, forKey: .emptyFlats)
    try fields.encode(emptyFrames, forKey: .emptyFrames)
  }
}
