/// What is damaged in one copy of a journal, and what became of it.
package struct ScrubFinding: Hashable, Sendable, Codable, CustomStringConvertible {
  /// What became of a damage.
  package enum Outcome: String, Sendable, Codable {
    /// Written again from the other copy.
    case mended
    /// The other copy has it whole; a writer may still have the segment open.
    case mendable
    /// There is no other copy.
    case onlyCopy
    /// The other copy does not have it whole either.
    case lost
    /// It could not be written again this time.
    case failed
  }

  /// The copy's folder.
  package let folder: String
  /// The file; nil where there is none that holds the records.
  package let segment: String?
  /// The record, or the first of some in a row that are damaged alike; nil for the page that begins the segment, or all
  /// of its file.
  package let record: UInt64?
  /// What is wrong.
  package let finding: RecordFinding
  /// What became of it.
  package var outcome: Outcome
  /// The last record of the row; nil of one record, or a page.
  package private(set) var through: UInt64?
  /// Whether the shards of its segment give back what it was; nil where another copy does, or none.
  var isFromShards: Bool?

  init(
    folder: String, segment: String?, record: UInt64?, finding: RecordFinding, outcome: Outcome, through: UInt64? = nil,
    isFromShards: Bool? = nil
  ) {
    (self.folder, self.segment, self.record) = (folder, segment, record)
    (self.finding, self.outcome, self.isFromShards) = (finding, outcome, isFromShards)
    self.through = through == record ? nil : through
  }

  /// Takes in the record behind it, where that is damaged alike; false where it is another damage.
  mutating func extend(with next: ScrubFinding) -> Bool {
    guard let record, let added = next.record, added == (through ?? record) + 1, next.finding == finding,
      next.outcome == outcome, next.isFromShards == isFromShards, next.segment == segment, next.folder == folder
    else { return false }
    through = added
    return true
  }

  /// Whether one of these damages is of the same records. A page goes with all of its segment.
  package func isAny(of damages: [JournalDamage]) -> Bool {
    guard let record else { return !damages.isEmpty }
    return damages.contains { $0.lowerBound <= (through ?? record) && record < max($0.upperBound, $0.lowerBound + 1) }
  }

  /// For people.
  package var description: String {
    let what =
      record.map { first in through.map { "records \(first) to \($0)" } ?? "record \(first)" }
      ?? "the first page"
    let end =
      switch outcome {
      case .mended: "it was written again from the \(isFromShards == true ? "shards" : "other copy")"
      case .mendable where isFromShards == true:
        "its shards have it; slipring journal mend writes it again after the run"
      case .mendable: "the other copy has it; slipring journal mend writes it again after the run"
      case .onlyCopy: "there is no other copy: what it holds can only be measured or made again"
      case .lost: "the other copy is damaged there as well"
      case .failed where isFromShards == true: "its shards have it, but it could not be written again"
      case .failed: "the other copy has it, but it could not be written again"
      }
    return "\(folder)\(segment.map { "/\($0)" } ?? ""), \(what): \(finding); \(end)"
  }
}

/// What reading a journal again came to.
package struct ScrubReport: Sendable, Equatable, Codable {
  /// Segments that were read, each of two copies by itself.
  package var segments = 0
  /// Bytes of records that were read.
  package var byteCount = 0
  /// What is damaged, or was.
  package var findings: [ScrubFinding] = []
  /// Whether all was read: nobody ended it before.
  package var isComplete = false
  /// Folders of copies that were not read: they are not there, or the journal goes on without them.
  package var unread: [String] = []
}
