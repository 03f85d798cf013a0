import KernelTypes

/// What a penalised update of a tile has beside the volume. Pixels have all their lanes.
public struct TileBorder: @unchecked Sendable {
  /// Old pixels of the row above the tile and of the one below it, from the column left of the tile to the one right of it.
  public let above: UnsafeRawPointer, below: UnsafeRawPointer
  /// Old pixels left of the tile, one a row; an update replaces them by those of the tile's last column.
  public let left: UnsafeMutableRawPointer
  /// Room for `sumsCount` pixels.
  public let sums: UnsafeMutableRawPointer

  /// What a row of a tile hands to the next one: two values a pixel.
  public static let sumsCount = 2 * Tile.edge

  /// The pointers must outlive the update.
  public init(
    above: UnsafeRawPointer, below: UnsafeRawPointer, left: UnsafeMutableRawPointer, sums: UnsafeMutableRawPointer
  ) {
    self.above = above
    self.below = below
    self.left = left
    self.sums = sums
  }
}

/// Smoothness that is asked of a slice.
public struct TilePenalty: Sendable {
  /// Twice the penalty's strength.
  public let doubledStrength: Float
  /// 1 / δ of the hybrid penalty; 0 for the quadratic one.
  public let inverseDelta: Float

  /// β, and δ for the hybrid penalty.
  public init(strength: Float, delta: Float?) {
    doubledStrength = 2 * strength
    inverseDelta = delta.map { 1 / $0 } ?? 0
  }
}

/// Columns of a row that take part.
public struct ColumnRange: Sendable {
  /// The first one and the one after the last.
  public let first: Int32, end: Int32

  /// A range, perhaps empty.
  public init(_ range: Range<Int>) {
    first = Int32(truncatingIfNeeded: range.lowerBound)
    end = Int32(truncatingIfNeeded: range.upperBound)
  }
}
