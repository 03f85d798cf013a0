internal import KernelTypes

/// What a worker needs for a band.
///
/// ```
/// rows     [step][d][2], [step but the last][p down, p right][2]   of the newest two rows
///          [pairs of p][2]                  of the last step, unless it is kept in the volume
/// zeros    a row
/// columns  [row][step][d, p, p right]       the last pixel of each row of a tile
/// ```
///
/// A row has the lanes of a tile's columns, with room for those left of it, one on the right, and a vector.
struct TotalVariationMemory {
  /// What is kept of a row's last pixel: d; p or pairs of it; p to the right.
  enum Kind: Int, CaseIterable { case difference, dual, right }

  let start: UnsafeMutableRawPointer
  let tileCount: Int
  private let innerSteps: Int
  private let pixelByteCount: Int
  private let rowByteCount: Int

  /// Bytes of a tile's row: with two inner steps, rows of the worker and of the volumes take 0.7 MB.
  private static let tileRowByteCount = 32_768

  init(_ start: UnsafeMutableRawPointer, layout: SliceLayout, innerSteps: Int) {
    self.start = start
    self.innerSteps = innerSteps
    pixelByteCount = layout.shape.pixelByteCount
    tileCount = Self.tileCount(layout)
    rowByteCount = Self.rowByteCount(layout, innerSteps)
  }

  static func byteCount(_ layout: SliceLayout, innerSteps: Int) -> Int {
    let columns = (layout.columns + 2 * innerSteps) * innerSteps * Kind.allCases.count
    return rowCount(innerSteps) * rowByteCount(layout, innerSteps)
      + (columns * layout.shape.pixelByteCount + 63) & ~63
  }

  /// The tile's first column of a row of d.
  func difference(_ step: Int, row: Int) -> UnsafeMutableRawPointer { place(2 * (step - 1) + row & 1) }

  /// The same of p after a step that is not the last.
  func parts(_ step: Int, row: Int) -> DualValues {
    let first = 2 * innerSteps + 4 * (step - 1) + row & 1
    return DualValues(down: place(first), right: place(first + 2))
  }

  /// The same of pairs of p after the last step.
  func pairs(row: Int) -> UnsafeMutableRawPointer { place(6 * innerSteps - 4 + row & 1) }

  var zeros: UnsafeMutableRawPointer { place(6 * innerSteps - 2) }

  /// Where the last pixel of a row, counted from the first that the band looks at, is kept.
  func column(_ kind: Kind, _ step: Int, row: Int) -> UnsafeMutableRawPointer {
    let columns = start + Self.rowCount(innerSteps) * rowByteCount
    return columns + ((row * innerSteps + step - 1) * Kind.allCases.count + kind.rawValue) * pixelByteCount
  }

  private func place(_ row: Int) -> UnsafeMutableRawPointer {
    start + (row * rowByteCount + (innerSteps + 1) * pixelByteCount)
  }

  private static func rowCount(_ innerSteps: Int) -> Int { 6 * innerSteps - 1 }

  /// Pixels of fewer than sixteen lanes share vectors, which are not cut.
  private static func tileCount(_ layout: SliceLayout) -> Int {
    layout.lanes < 16 ? 1 : max(1, layout.columns * layout.shape.pixelByteCount / tileRowByteCount)
  }

  private static func rowByteCount(_ layout: SliceLayout, _ innerSteps: Int) -> Int {
    let count = tileCount(layout), columns = (layout.columns + count - 1) / count + 2 * innerSteps + 3
    // Rows that lie other parts of a page apart were up to a tenth slower.
    return (columns * layout.shape.pixelByteCount + 64 + 2047) & ~2047
  }
}
