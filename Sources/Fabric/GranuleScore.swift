package import Rings
package import RunModel

/// What a node saw of a granule's slices after an update: how much they changed since an earlier one, as its run's
/// `scores` say it. It stands in the granule's lease, so who may write it is who holds that, and it is gone with it.
///
/// It names what it is of, so that one that was copied from elsewhere is none.
package struct GranuleScore: Equatable, Sendable {
  /// The run at the edge.
  private let run: String
  /// The granule's number.
  private let granule: Int
  /// Its first row, and how many, counted from 0 in the edge's images.
  private let firstRow: Int
  private let rows: Int
  /// What was seen: the lowest similarity of the granule. Updates never go back while the same node has it.
  package let value: SliceScore

  /// The values as given.
  package init(run: RunID, granule: Int, rows: Range<Int>, _ value: SliceScore) {
    precondition(
      value.black.isFinite && value.white.isFinite && value.similarity?.isFinite ?? true, "a score that is no number")
    (self.run, self.granule, firstRow, self.rows) = ("\(run)", granule, rows.lowerBound, rows.count)
    self.value = value
  }

  /// What is wrong with its values; nil where nothing is.
  var problem: String? {
    guard [granule, firstRow, rows].allSatisfy({ (0...FabricNames.countMax).contains($0) }), RunID(run) != nil,
      value.isSound(countMax: FabricNames.countMax)
    else { return "its score is none" }
    return nil
  }

  /// Whether it is that of a granule of a run.
  package func isOf(_ run: RunID, _ granule: Int, rows: Range<Int>) -> Bool {
    self.run == "\(run)" && self.granule == granule && firstRow == rows.lowerBound && self.rows == rows.count
  }
}

// The values stand beside what they are of.
extension GranuleScore: Codable {
  private enum CodingKeys: String, CodingKey { case run, granule, firstRow, rows }

  /// Reads what `encode` wrote.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    (run, granule) = (try fields.decode(String.self, forKey: .run), try fields.decode(Int.self, forKey: .granule))
    (firstRow, rows) = (try fields.decode(Int.self, forKey: .firstRow), try fields.decode(Int.self, forKey: .rows))
    value = try SliceScore(from: decoder)
  }

  /// Writes all of it side by side.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(run, forKey: .run)
    try fields.encode(granule, forKey: .granule)
    try fields.encode(firstRow, forKey: .firstRow)
    try fields.encode(rows, forKey: .rows)
    try value.encode(to: encoder)
  }
}
