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
  /// The file.
  package let segment: String
  /// The record; nil for the page that begins the segment, or all of its file.
  package let record: UInt64?
  /// What is wrong.
  package let finding: RecordFinding
  /// What became of it.
  package var outcome: Outcome

  /// For people.
  package var description: String {
    let what = record.map { "record \($0)" } ?? "the first page"
    let end =
      switch outcome {
      case .mended: "it was written again from the other copy"
      case .mendable: "the other copy has it; slipring journal mend writes it again after the run"
      case .onlyCopy: "there is no other copy: what it holds can only be measured or made again"
      case .lost: "the other copy is damaged there as well"
      case .failed: "the other copy has it, but it could not be written again"
      }
    return "\(folder)/\(segment), \(what): \(finding); \(end)"
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
}
