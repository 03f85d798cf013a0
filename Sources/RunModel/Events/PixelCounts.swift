/// Pixels that were not as they should be, and were corrected.
package struct PixelCounts: Equatable, Sendable {
  /// NaN or infinite counts, replaced by their neighbours.
  package var nonFinite: Int
  /// Counts at or below the dark field, clamped before −log.
  package var clamped: Int
  /// Pixels of the detector whose dark field is not below their flat field, interpolated in every projection.
  package var dead: Int
  /// Line integrals below zero that became zero, for methods that need it.
  package var negative: Int

  /// Counts of pixels.
  package init(nonFinite: Int = 0, clamped: Int = 0, dead: Int = 0, negative: Int = 0) {
    self.nonFinite = nonFinite
    self.clamped = clamped
    self.dead = dead
    self.negative = negative
  }

  /// Of both, which have no projection of a pixel in common.
  package static func + (first: PixelCounts, second: PixelCounts) -> PixelCounts {
    PixelCounts(
      nonFinite: first.nonFinite + second.nonFinite, clamped: first.clamped + second.clamped,
      dead: first.dead + second.dead, negative: first.negative + second.negative)
  }
}
