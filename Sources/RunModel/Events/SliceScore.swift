/// What was seen of slices of a volume after an update: how much they changed since an earlier one. The worker whose
/// slices these are, a granule or rows stand beside it, in what carries it: `ScoreEvent`, `status.json`, and the leases
/// of nodes.
package struct SliceScore: Codable, Equatable, Sendable {
  /// The number of the update.
  package var update: Int
  /// Where the window of the update ended, in projections.
  package var projections: Int
  /// The same of the earlier volume; nil where there was none to compare with.
  package var against: Int?
  /// MS-SSIM with the earlier volume, 1 for equal ones.
  package var similarity: Double?
  /// Scores in a row, with this one, that reached the threshold.
  package var streak: Int
  /// The grey values between which slices are compared, in 1/pixel.
  package var black: Double
  package var white: Double
  /// Whether these stay as they are.
  package var isSettled: Bool

  /// The values as given.
  package init(
    update: Int, projections: Int, against: Int?, similarity: Double?, streak: Int, black: Double, white: Double,
    isSettled: Bool = true
  ) {
    (self.update, self.projections, self.against) = (update, projections, against)
    (self.similarity, self.streak) = (similarity, streak)
    (self.black, self.white, self.isSettled) = (black, white, isSettled)
  }

  /// Equal slices have 1, and what rounding adds.
  private static let similarityMax = 1.001

  /// Whether a number may be a similarity.
  static func isSimilarity(_ value: Double) -> Bool { (0...similarityMax).contains(value) }

  /// Whether its values may be those of a score, whose counts are `countMax` at most.
  package func isSound(countMax: Int) -> Bool {
    [update, projections, against ?? 0, streak].allSatisfy { (0...countMax).contains($0) }
      && similarity.map(Self.isSimilarity) ?? true && black.isFinite && white.isFinite && black < white
  }
}
