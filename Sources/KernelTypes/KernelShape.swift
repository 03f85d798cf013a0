// Public and inlinable, because the kernels' modules would otherwise call a function for each constant: what has
// package access is not inlined across modules.

/// Sizes that every projector kernel needs. Pitches are in pixels; a pixel is `lanes` floats, one for each slice of a
/// block.
public struct KernelShape: Sendable {
  /// Both edges of a slice, and the bins of a row.
  public internal(set) var columns: Int
  /// Slices that are interleaved in a pixel.
  public let lanes: Int
  /// Distance between two rows of a volume block.
  public let volumePitch: Int
  /// Distance between two rows (angles) of a sinogram block.
  public let sinogramPitch: Int
  /// Tiles that lie wholly outside the inscribed disk hold zeros and stay as they are.
  public var isDisk = false
  /// Lanes that a projection computes, from its pointers on: all of them, or a multiple of 16 where threads share a
  /// block.
  public var usedLanes: Int
  /// Pairs of bins that a projection computes: all of them, or some where threads share its rays.
  public var usedPairs: Range<Int>

  /// Bytes of a pixel or bin with all its lanes.
  @inlinable public var pixelByteCount: Int { lanes * MemoryLayout<Float>.size }
  /// Bytes of a pixel or bin that are computed.
  @inlinable public var usedByteCount: Int { usedLanes * MemoryLayout<Float>.size }

  /// Describes a block; the pitches include the zero margins of `VolumeMargin` and `SinogramMargin`.
  init(columns: Int, lanes: Int, volumePitch: Int, sinogramPitch: Int) {
    self.columns = columns
    self.lanes = lanes
    usedLanes = lanes
    usedPairs = 0..<(columns + 1) >> 1
    self.volumePitch = volumePitch
    self.sinogramPitch = sinogramPitch
  }
}

/// Pixels of zeros on each side of a slice: the forward kernel sends taps that miss the slice there.
@inlinable public var volumeMargin: Int { 2 }
/// Bins of zeros on each side of a sinogram row: the back kernel sends taps that miss the detector there.
@inlinable public var sinogramMargin: Int { 3 }

/// A part of a slice of at most `Tile.edge` pixels each way, accumulated in its own small buffer `[row][column][lane]`.
public struct Tile: Sendable {
  /// Pixels along an edge: a tile of 64 lanes and the bins of a dozen angles fit in the second-level cache.
  @inlinable public static var edge: Int { 32 }
  /// Pixels between two rows of the buffer: odd, so that rows do not fall on the same cache sets.
  @inlinable public static var pitch: Int { edge + 1 }

  /// Left column and top row in the slice.
  public let column: Int, row: Int
  /// Columns and rows inside the slice.
  public let width: Int, height: Int

  /// The tile with this upper left corner, cut at the slice's edge.
  public init(column: Int, row: Int, columns: Int) {
    self.column = column
    self.row = row
    width = min(Tile.edge, columns - column)
    height = min(Tile.edge, columns - row)
  }

  /// Whether the centres of all pixels of the tile, and of `margin` pixels around it, lie farther than columns / 2 from
  /// the slice's middle.
  public static func isOutsideDisk(column: Int, row: Int, columns: Int, margin: Int = 0) -> Bool {
    // In half pixels, from the middle to the nearest centre.
    func distance(_ first: Int) -> Int {
      let start = 2 * (first - margin) + 1 - columns, end = 2 * (min(first + edge, columns) + margin) - 1 - columns
      return start > 0 ? start : end < 0 ? -end : 0
    }
    let x = distance(column), y = distance(row)
    return x * x + y * y > columns * columns
  }

  /// Bytes of a tile's buffer.
  public static func byteCount(lanes: Int) -> Int { edge * pitch * lanes * MemoryLayout<Float>.size }
}
