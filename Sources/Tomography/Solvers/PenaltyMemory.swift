internal import KernelTypes

/// Old pixels that a penalised update still needs when it has overwritten them: a penalty looks at neighbours, and an
/// update in place must see all of them as they were.
///
/// ```
/// edges    [block][band][2][columns + 2][lane]   the rows above and below a band of tiles, saved before the update
/// left     [block][band][Tile.edge][lane]        the column left of the tile that comes next
/// sums     [block][band][sumsCount][lane]        what a row of a tile hands to the next one
/// ranges   [columns + 2] ColumnRange             what takes part in rows −1 … columns
/// reached  [block][band] Int                     columns of the band that were updated
/// ```
struct PenaltyMemory {
  private let layout: SliceLayout
  private let bands: Int
  private let memory: ScratchMemory
  private let edges: UnsafeMutableRawPointer
  /// left and sums
  private let columns: UnsafeMutableRawPointer
  private let reached: UnsafeMutablePointer<Int>
  /// Row 0; rows −1 and `columns` exist and are empty.
  let ranges: UnsafeMutablePointer<ColumnRange>

  init(layout: SliceLayout, blocks: Int, mask: DiskMask) {
    self.layout = layout
    bands = PenaltyMemory.bands(layout)
    let sizes = PenaltyMemory.sizes(layout, blocks)
    memory = ScratchMemory(byteCount: sizes.edges + sizes.columns + sizes.reached + sizes.ranges)
    edges = memory.start
    columns = edges + sizes.edges
    reached = (columns + sizes.columns).bindMemory(to: Int.self, capacity: blocks * bands)
    let rows = (columns + sizes.columns + sizes.reached).bindMemory(to: ColumnRange.self, capacity: layout.columns + 2)
    for row in 0..<layout.columns + 2 {
      let isInside = (1...layout.columns).contains(row)
      (rows + row).initialize(to: ColumnRange(isInside ? mask.columns(row: row - 1) : 0..<0))
    }
    ranges = rows + 1
  }

  static func byteCount(layout: SliceLayout, blocks: Int) -> Int {
    let sizes = sizes(layout, blocks)
    return sizes.edges + sizes.columns + sizes.reached + sizes.ranges
  }

  private static func bands(_ layout: SliceLayout) -> Int { (layout.columns + Tile.edge - 1) / Tile.edge }

  private static func sizes(_ layout: SliceLayout, _ blocks: Int) -> (
    edges: Int, columns: Int, reached: Int, ranges: Int
  ) {
    let count = blocks * bands(layout)
    return (
      count * 2 * (layout.columns + 2) * layout.shape.pixelByteCount, count * columnsByteCount(layout),
      count * MemoryLayout<Int>.stride, (layout.columns + 2) * MemoryLayout<ColumnRange>.stride
    )
  }

  /// Room for a row; a narrow block needs less of it.
  private var edgeByteCount: Int { (layout.columns + 2) * layout.shape.pixelByteCount }

  /// Keeps the rows around each band of tiles.
  func save(_ volume: UnsafeRawPointer, blocks: Range<Int>, _ executor: some Executor) {
    executor.forEach(count: blocks.count * bands) { item in
      let block = blocks.lowerBound + item / bands, shape = layout.shape(block: block)
      let pixel = shape.pixelByteCount, line = shape.volumePitch * pixel, rowByteCount = (layout.columns + 2) * pixel
      let first = item % bands * Tile.edge, end = min(first + Tile.edge, layout.columns)
      // Column −1 of a row, in the margin.
      let start = volume + layout.pixelOffset(block: block) - pixel
      let target = edges + item * 2 * edgeByteCount
      target.copyMemory(from: start + (first - 1) * line, byteCount: rowByteCount)
      (target + edgeByteCount).copyMemory(from: start + end * line, byteCount: rowByteCount)
      reached[item] = 0
    }
  }

  /// Bytes of a band's left column and sums.
  private static func columnsByteCount(_ layout: SliceLayout) -> Int {
    (Tile.edge + TileBorder.sumsCount) * layout.shape.pixelByteCount
  }

  /// Old pixels around the tile. Tiles of a band come from left to right, and each leaves its last column to the next.
  func border(_ tile: Tile, block: Int, index: Int) -> TileBorder {
    let item = index * bands + tile.row / Tile.edge, pixel = layout.shape(block: block).pixelByteCount
    precondition(reached[item] == tile.column, "tile at column \(tile.column) came after \(reached[item]) columns")
    reached[item] += tile.width
    let above = edges + (item * 2 * edgeByteCount + tile.column * pixel)
    let left = columns + item * PenaltyMemory.columnsByteCount(layout)
    // Left of the slice are zeros.
    if tile.column == 0 { left.initializeMemory(as: UInt8.self, repeating: 0, count: Tile.edge * pixel) }
    return TileBorder(above: above, below: above + edgeByteCount, left: left, sums: left + Tile.edge * pixel)
  }
}
