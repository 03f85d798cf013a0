import RunModel

/// What control saw last of a worker's slices, as `status.json` says it.
package struct WorkerScore: Codable, Equatable, Sendable {
  /// The worker's first row of the run's images, and how many it has.
  var firstRow: Int
  var rows: Int
  /// The number of the update, and where its window and that of the earlier volume ended, in projections.
  package var update: Int
  package var projections: Int
  package var against: Int?
  /// MS-SSIM with the earlier volume, 1 for equal ones; nil where there is none.
  package var similarity: Double?
  /// Scores in a row, with this one, that reached `stop-ssim`.
  package var streak: Int
  /// The grey values between which slices are compared, in 1/pixel, and whether they stay as they are.
  package var black: Double
  package var white: Double
  package var isSettled: Bool

  /// The score of a worker that has these rows.
  init(_ score: ScoreEvent, rows: Range<Int>) {
    (firstRow, self.rows) = (rows.lowerBound, rows.count)
    (update, projections, against) = (score.update, score.projections, score.against)
    (similarity, streak) = (score.similarity, score.streak)
    (black, white, isSettled) = (score.range.lowerBound, score.range.upperBound, score.isSettled)
  }

  /// The rows.
  package var range: Range<Int> { firstRow..<firstRow + rows }
}
