internal import KernelTypes

/// What a worker needs for a band.
///
/// ```
/// rows     [group][step][d, p][2]   d and p of the newest two rows, unless p is kept in the volume
/// zeros    a row
/// columns  [row][group][step][d, p] the last column of each row of a tile, sixteen lanes
/// ```
///
/// A row has sixteen lanes of a tile's columns, with room for those left of it, one on the right, and a vector.
struct TotalVariationMemory {
  /// Rows of d and of p.
  enum Kind: Int { case difference, dual }

  let start: UnsafeMutableRawPointer
  let tileCount: Int
  private let innerSteps: Int
  private let groups: Int
  private let rowByteCount: Int

  /// Columns of a tile: of 64 lanes and two inner steps, rows of the worker and of the volumes take 0.7 MB.
  private static let tileColumns = 128

  init(_ start: UnsafeMutableRawPointer, layout: SliceLayout, innerSteps: Int) {
    self.start = start
    self.innerSteps = innerSteps
    groups = max(1, layout.lanes / 16)
    tileCount = Self.tileCount(layout)
    rowByteCount = Self.rowByteCount(layout, innerSteps)
  }

  static func byteCount(_ layout: SliceLayout, innerSteps: Int) -> Int {
    let groups = max(1, layout.lanes / 16), rows = 4 * innerSteps * groups + 1
    return rows * rowByteCount(layout, innerSteps) + (layout.columns + 2 * innerSteps) * groups * 2 * innerSteps * 64
  }

  /// The tile's first column of a row of d, and of p.
  func difference(_ step: Int, row: Int, group: Int) -> UnsafeMutableRawPointer {
    place(4 * (group * innerSteps + step - 1) + row & 1)
  }

  func dual(_ step: Int, row: Int, group: Int) -> UnsafeMutableRawPointer {
    place(4 * (group * innerSteps + step - 1) + 2 + row & 1)
  }

  var zeros: UnsafeMutableRawPointer { place(4 * innerSteps * groups) }

  /// Where a column of a row, counted from the first that the band looks at, is kept.
  func column(_ kind: Kind, _ step: Int, row: Int, group: Int) -> UnsafeMutableRawPointer {
    let columns = start + (4 * innerSteps * groups + 1) * rowByteCount
    return columns + (((row * groups + group) * innerSteps + step - 1) * 2 + kind.rawValue) * 64
  }

  private func place(_ row: Int) -> UnsafeMutableRawPointer { start + (row * rowByteCount + (innerSteps + 1) * 64) }

  /// Pixels of fewer than sixteen lanes share vectors, which are not cut.
  private static func tileCount(_ layout: SliceLayout) -> Int {
    layout.lanes < 16 ? 1 : max(1, layout.columns / tileColumns)
  }

  private static func rowByteCount(_ layout: SliceLayout, _ innerSteps: Int) -> Int {
    let count = tileCount(layout)
    return ((layout.columns + count - 1) / count + 2 * innerSteps + 3) * 64
  }
}
