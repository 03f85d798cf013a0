package import Rings

/// What a node saw of a granule's slices after an update: how much they changed since an earlier one, as its run's
/// `scores` say it. It stands in the granule's lease, so who may write it is who holds that, and it is gone with it.
///
/// It names what it is of, so that one that was copied from elsewhere is none.
package struct GranuleScore: Codable, Equatable, Sendable {
  /// The run at the edge.
  let run: String
  /// The granule's number.
  let granule: Int
  /// Its first row, and how many, counted from 0 in the edge's images.
  let firstRow: Int
  let rows: Int
  /// The number of the update, which never goes back while the same node has the granule.
  package let update: Int
  /// Where the window of the update ended, in projections.
  package let projections: Int
  /// The same of the earlier volume; nil where there was none to compare with.
  package let against: Int?
  /// MS-SSIM with the earlier volume, the lowest of the granule; 1 for equal ones.
  package let similarity: Double?
  /// Scores in a row, with this one, that reached the threshold.
  package let streak: Int
  /// The grey values between which slices are compared, in 1/pixel.
  package let black: Double
  package let white: Double
  /// Whether these stay as they are.
  package let isSettled: Bool

  /// The values as given.
  package init(
    run: RunID, granule: Int, rows: Range<Int>, update: Int, projections: Int, against: Int?, similarity: Double?,
    streak: Int, black: Double, white: Double, isSettled: Bool
  ) {
    precondition(black.isFinite && white.isFinite && similarity?.isFinite ?? true, "a score that is no number")
    (self.run, self.granule, firstRow, self.rows) = ("\(run)", granule, rows.lowerBound, rows.count)
    (self.update, self.projections, self.against) = (update, projections, against)
    (self.similarity, self.streak) = (similarity, streak)
    (self.black, self.white, self.isSettled) = (black, white, isSettled)
  }

  /// Equal slices have 1, and what rounding adds.
  private static let similarityMax = 1.001

  /// What is wrong with its values; nil where nothing is.
  var problem: String? {
    let counts = [granule, firstRow, rows, update, projections, against ?? 0, streak]
    guard counts.allSatisfy({ (0...FabricNames.countMax).contains($0) }), RunID(run) != nil,
      similarity.map({ (0...Self.similarityMax).contains($0) }) ?? true, black.isFinite, white.isFinite, black < white
    else { return "its score is none" }
    return nil
  }

  /// Whether it is that of a granule of a run.
  package func isOf(_ run: RunID, _ granule: Int, rows: Range<Int>) -> Bool {
    self.run == "\(run)" && self.granule == granule && firstRow == rows.lowerBound && self.rows == rows.count
  }
}
