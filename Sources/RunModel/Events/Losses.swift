/// What a live source has lost so far, in numbers: the same words in its ledger, in `losses.json` and in `status.json`.
package struct Losses: Codable, Equatable, Sendable {
  /// Frames that never came, below the highest one that did.
  package var lost: Int
  /// Frames that came twice and were dropped.
  package var duplicates: Int
  /// Frames that came after one with a higher number, and were used.
  package var late: Int
  /// Lost projections in whose place an interpolated one was used.
  package var interpolated = 0
  /// Such in whose place one was used that a program made.
  package var generated = 0
  /// Frames that the detector marked as invalid.
  package var invalid = 0
  /// Messages that were dropped because something was wrong with them.
  package var malformed: Int
  /// Frames that showed nothing and were left out; nil for none.
  package var empty: Int?

  /// Losses as given.
  package init(
    lost: Int, duplicates: Int, late: Int, interpolated: Int, generated: Int = 0, invalid: Int, malformed: Int,
    empty: Int = 0
  ) {
    (self.lost, self.duplicates, self.late) = (lost, duplicates, late)
    (self.interpolated, self.generated) = (interpolated, generated)
    (self.invalid, self.malformed) = (invalid, malformed)
    self.empty = empty > 0 ? empty : nil
  }

  /// The words of `status.json`, which leaves out what is only told at the end.
  private enum CodingKeys: String, CodingKey {
    case lost, duplicates, late, interpolated, generated, empty
    case malformed = "dropped"
  }

  /// Reads what `status.json` has; an older build's says nothing of what stands in place of lost projections.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    lost = try fields.decode(Int.self, forKey: .lost)
    duplicates = try fields.decode(Int.self, forKey: .duplicates)
    late = try fields.decode(Int.self, forKey: .late)
    interpolated = try fields.decodeIfPresent(Int.self, forKey: .interpolated) ?? 0
    generated = try fields.decodeIfPresent(Int.self, forKey: .generated) ?? 0
    malformed = try fields.decode(Int.self, forKey: .malformed)
    empty = try fields.decodeIfPresent(Int.self, forKey: .empty)
  }
}
