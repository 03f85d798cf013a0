package import RunModel

/// What control saw last of a worker's slices, as `status.json` says it.
package struct WorkerScore: Equatable, Sendable {
  /// The worker's rows of the run's images.
  package let range: Range<Int>
  /// What it saw.
  package let value: SliceScore

  /// The score of a worker that has these rows.
  init(_ value: SliceScore, rows: Range<Int>) { (range, self.value) = (rows, value) }
}

// The values stand beside the first row, and how many there are.
extension WorkerScore: Codable {
  private enum CodingKeys: String, CodingKey { case firstRow, rows }

  /// Reads what `encode` wrote.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let (first, rows) = (try fields.decode(Int.self, forKey: .firstRow), try fields.decode(Int.self, forKey: .rows))
    let (end, isTooFar) = first.addingReportingOverflow(rows)
    guard first >= 0, rows >= 0, !isTooFar else {
      throw DecodingError.dataCorruptedError(forKey: .rows, in: fields, debugDescription: "rows that are none")
    }
    (range, value) = (first..<end, try SliceScore(from: decoder))
  }

  /// Writes all of it side by side.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(range.lowerBound, forKey: .firstRow)
    try fields.encode(range.count, forKey: .rows)
    try value.encode(to: encoder)
  }
}
