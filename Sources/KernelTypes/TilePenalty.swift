/// What a penalised update of a tile has beside the volume. Pixels have all their lanes.
package struct TileBorder: @unchecked Sendable {
  /// Old pixels of the row above the tile and of the one below it, from the column left of the tile to the one right of
  /// it.
  package let above: UnsafeRawPointer, below: UnsafeRawPointer
  /// Old pixels left of the tile, one a row; an update replaces them by those of the tile's last column.
  package let left: UnsafeMutableRawPointer
  /// Room for `sumsCount` pixels.
  package let sums: UnsafeMutableRawPointer

  /// What a row of a tile hands to the next one: two values a pixel.
  package static let sumsCount = 2 * Tile.edge

  /// The pointers must outlive the update.
  package init(
    above: UnsafeRawPointer, below: UnsafeRawPointer, left: UnsafeMutableRawPointer, sums: UnsafeMutableRawPointer
  ) {
    self.above = above
    self.below = below
    self.left = left
    self.sums = sums
  }
}

/// Smoothness that is asked of a slice.
package struct TilePenalty: Sendable {
  /// Twice the penalty's strength.
  package let doubledStrength: Float
  /// 1 / δ of the hybrid penalty; 0 for the quadratic one.
  package let inverseDelta: Float

  /// β, and δ for the hybrid penalty.
  package init(strength: Float, delta: Float?) {
    doubledStrength = 2 * strength
    inverseDelta = delta.map { 1 / $0 } ?? 0
  }
}

/// Columns of a row that take part.
package struct ColumnRange: Sendable {
  /// The first one and the one after the last.
  package let first: Int32, end: Int32

  /// A range, perhaps empty.
  package init(_ range: Range<Int>) {
    first = Int32(truncatingIfNeeded: range.lowerBound)
    end = Int32(truncatingIfNeeded: range.upperBound)
  }
}
