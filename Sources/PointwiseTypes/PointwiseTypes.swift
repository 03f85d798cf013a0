import KernelTypes

/// Old pixels of a tile and one more on each side: `[row][column][lane]`.
public enum Patch {
  /// Pixels along an edge.
  public static let edge = Tile.edge + 2
  /// Pixels between two rows: odd, so that rows do not fall on the same cache sets.
  public static let pitch = edge + 1
  /// Bytes of a patch.
  public static func byteCount(lanes: Int) -> Int { edge * pitch * lanes * MemoryLayout<Float>.size }
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
