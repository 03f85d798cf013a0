internal import KernelTypes
internal import PointwiseTypes

/// Old pixels that a penalised update still needs when it has overwritten them: a penalty looks at neighbours, and an update in place
/// must see all of them as they were.
///
/// ```
/// edges    [block][band][2][columns + 2][lane]   the rows above and below a band of tiles, saved before the update
/// patches  [block][band] Patch                   a tile of the band with its neighbours, loaded just before the tile is written
/// ranges   [columns + 2] ColumnRange             what takes part in rows −1 … columns
/// reached  [block][band] Int                     columns of the band that were loaded
/// ```
struct PenaltyMemory {
  private let layout: SliceLayout
  private let bands: Int
  private let memory: ScratchMemory
  private let edges: UnsafeMutableRawPointer
  private let patches: UnsafeMutableRawPointer
  private let reached: UnsafeMutablePointer<Int>
  /// Row 0; rows −1 and `columns` exist and are empty.
  let ranges: UnsafeMutablePointer<ColumnRange>

  init(layout: SliceLayout, blocks: Int, mask: DiskMask) {
    self.layout = layout
    bands = PenaltyMemory.bands(layout)
    let sizes = PenaltyMemory.sizes(layout, blocks)
    memory = ScratchMemory(byteCount: sizes.edges + sizes.patches + sizes.reached + sizes.ranges)
    edges = memory.start
    patches = edges + sizes.edges
    reached = (patches + sizes.patches).bindMemory(to: Int.self, capacity: blocks * bands)
    let rows = (patches + sizes.patches + sizes.reached).bindMemory(to: ColumnRange.self, capacity: layout.columns + 2)
    for row in 0..<layout.columns + 2 {
      let isInside = (1...layout.columns).contains(row)
      (rows + row).initialize(to: ColumnRange(isInside ? mask.columns(row: row - 1) : 0..<0))
    }
    ranges = rows + 1
  }

  static func byteCount(layout: SliceLayout, blocks: Int) -> Int {
    let sizes = sizes(layout, blocks)
    return sizes.edges + sizes.patches + sizes.reached + sizes.ranges
  }

  private static func bands(_ layout: SliceLayout) -> Int { (layout.columns + Tile.edge - 1) / Tile.edge }

  private static func sizes(_ layout: SliceLayout, _ blocks: Int) -> (edges: Int, patches: Int, reached: Int, ranges: Int) {
    let count = blocks * bands(layout)
    return (
      count * 2 * (layout.columns + 2) * layout.shape.pixelByteCount, count * Patch.byteCount(lanes: layout.lanes),
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

  /// The tile's pixels and their neighbours as they were before the update. Tiles of a band come from left to right.
  func patch(_ tile: Tile, volume: UnsafeRawPointer, block: Int, index: Int) -> UnsafeRawPointer {
    let item = index * bands + tile.row / Tile.edge
    precondition(reached[item] == tile.column, "tile at column \(tile.column) came after \(reached[item]) columns")
    reached[item] += tile.width
    let shape = layout.shape(block: block), pixel = shape.pixelByteCount, line = shape.volumePitch * pixel
    let patch = patches + item * Patch.byteCount(lanes: layout.lanes)
    let start = volume + layout.pixelOffset(block: block) - pixel + tile.row * line
    let above = UnsafeRawPointer(edges + item * 2 * edgeByteCount)
    for row in 0..<tile.height + 2 {
      let target = patch + row * Patch.pitch * pixel
      let source: UnsafeRawPointer =
        switch row {
        case 0: above
        case tile.height + 1: above + edgeByteCount
        default: start + (row - 1) * line
        }
      // The column left of the tile was overwritten with the tile before, whose patch has it.
      let kept = tile.column == 0 ? 0 : 1
      if kept == 1 { target.copyMemory(from: target + Tile.edge * pixel, byteCount: pixel) }
      (target + kept * pixel).copyMemory(from: source + (tile.column + kept) * pixel, byteCount: (tile.width + 2 - kept) * pixel)
    }
    return UnsafeRawPointer(patch)
  }
}
