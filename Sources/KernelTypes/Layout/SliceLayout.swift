/// How slices lie in memory: a few slices (lanes) are interleaved, so that each weight of the projector is computed
/// once for all of them.
///
/// Slice `row` is lane `row % lanes` of block `row / lanes`. A volume is `[block][y][x][lane]` and a sinogram
/// `[block][slot][bin][lane]`, float32, with margins that hold zeros. Memory for either starts as zero bytes, at a
/// multiple of 64.
///
/// A row of a sinogram has a bin for each column of a slice. Those that the detector measures are `measured`, as a rule
/// all of them; the others hold zeros.
package struct SliceLayout: Sendable, Equatable {
  /// Both edges of a slice in pixels, and the bins of a sinogram row.
  package let columns: Int
  /// Bins that the detector measures: as many as it has columns.
  package let measured: Range<Int>
  /// Detector rows, which is slices.
  package let rows: Int
  /// Interleaved slices of a block, 2, 4 or a multiple of 16; the last block may have fewer.
  package let lanes: Int

  /// Lays out `rows` slices of `columns` × `columns` pixels; without `lanes`, a width that suits the number of rows.
  /// The detector measures the bins `measured`, all of them if nil.
  package init(columns: Int, measured: Range<Int>? = nil, rows: Int, lanes: Int? = nil) {
    let measured = measured ?? 0..<columns
    precondition(
      (1...SliceLayout.columnsMax).contains(columns), "\(columns) columns: 1…\(SliceLayout.columnsMax) are possible")
    precondition(rows >= 1, "\(rows) rows")
    let lanes = lanes ?? SliceLayout.lanesNeeded(rows: rows, at: 64)
    precondition(
      SliceLayout.isPossible(lanes: lanes), "\(lanes) lanes: 2, 4 or a multiple of 16 up to 256 are possible")
    precondition(
      measured.lowerBound >= 0 && measured.upperBound <= columns && !measured.isEmpty,
      "bins \(measured) of \(columns) are measured")
    self.columns = columns
    self.measured = measured
    self.rows = rows
    self.lanes = lanes
  }

  /// Whether the detector measures each bin.
  package var measuresAll: Bool { measured.count == columns }

  /// The same of other rows, whose first one is lane 0 of the first block.
  package func with(rows: Int) -> SliceLayout {
    SliceLayout(columns: columns, measured: measured, rows: rows, lanes: lanes)
  }

  /// The same with `pixels` more at each edge of a slice, which the detector does not measure.
  package func padded(by pixels: Int) -> SliceLayout {
    SliceLayout(
      columns: columns + 2 * pixels, measured: measured.lowerBound + pixels..<measured.upperBound + pixels, rows: rows,
      lanes: lanes)
  }

  /// Whether so many slices can be interleaved: 2, 4 or a multiple of 16 up to 256.
  package static func isPossible(lanes: Int) -> Bool {
    lanes == 2 || lanes == 4 || ((16...256).contains(lanes) && lanes % 16 == 0)
  }

  /// The widest slice: offsets in a block stay below 2³¹ units of 16 bytes.
  package static let columnsMax = 5_000

  /// Number of blocks; the lanes of the last one beyond `rows` hold zeros.
  package var blockCount: Int { (rows + lanes - 1) / lanes }

  /// Lanes of all blocks: what the kernels compute, slices and empty lanes.
  package var laneCount: Int { (blockCount - 1) * lanes + lanes(block: blockCount - 1) }

  /// Bytes of a volume block, a multiple of 4096.
  package var volumeBlockByteCount: Int {
    let rowsWithMargins = columns + 2 * volumeMargin
    return wholePages((rowsWithMargins * shape.volumePitch + 2 * volumeMargin) * shape.pixelByteCount)
  }

  /// Bytes of one generation of all rows, a multiple of 4096.
  package var volumeByteCount: Int { blockCount * volumeBlockByteCount }

  /// The most projections of a sinogram block, which is below 32 GiB: 2³¹ units of 16 bytes.
  package var slotsMax: Int { ((16 << 31) - 4096) / (shape.sinogramPitch * shape.pixelByteCount) }

  /// Bytes of a sinogram block with 1 … `slotsMax` projections, a multiple of 4096.
  package func sinogramBlockByteCount(slots: Int) -> Int {
    precondition((1...slotsMax).contains(slots), "\(slots) slots of \(columns) bins and \(lanes) lanes")
    return wholePages(slots * shape.sinogramPitch * shape.pixelByteCount)
  }

  /// Interleaved slices of `block`. The last one has no more than its rows need, so that no vector is computed for
  /// nothing; its memory is as large as the others'.
  package func lanes(block: Int) -> Int {
    block == blockCount - 1 ? SliceLayout.lanesNeeded(rows: rows - block * lanes, at: lanes) : lanes
  }

  private static func lanesNeeded(rows: Int, at most: Int) -> Int {
    min(most, rows <= 2 ? 2 : rows <= 4 ? 4 : (rows + 15) & ~15)
  }

  /// Detector rows of `blocks`.
  package func rows(of blocks: Range<Int>) -> Range<Int> {
    blocks.lowerBound * lanes..<min(rows, blocks.upperBound * lanes)
  }

  /// What the kernels know of `block`.
  package func shape(block: Int) -> KernelShape { shape(lanes: lanes(block: block)) }

  /// The same for what the detector measures: its columns are those of the detector.
  package func measuredShape(block: Int) -> KernelShape {
    var shape = shape(block: block)
    shape.columns = measured.count
    return shape
  }

  /// Bytes from bin 0 of a row of `block` to the first one that the detector measures.
  package func measuredOffset(block: Int) -> Int { measured.lowerBound * shape(block: block).pixelByteCount }

  /// The widest blocks' shape, which sizes are computed from.
  package var shape: KernelShape { shape(lanes: lanes) }

  private func shape(lanes: Int) -> KernelShape {
    // Odd pitches, so that neighbouring rows do not fall on the same cache sets.
    KernelShape(
      columns: columns, lanes: lanes, volumePitch: (columns + 2 * volumeMargin) | 1,
      sinogramPitch: (columns + 2 * sinogramMargin) | 1)
  }

  /// Bytes from a volume's start to pixel (0, 0) of `block`.
  package func pixelOffset(block: Int) -> Int {
    let shape = shape(block: block)
    return block * volumeBlockByteCount + (volumeMargin * shape.volumePitch + volumeMargin) * shape.pixelByteCount
  }

  /// Bytes from the start of a sinogram that holds `blocks` to bin 0 of `slot` of one of them.
  package func binOffset(block: Int, of blocks: Range<Int>, slot: Int, slots: Int) -> Int {
    let shape = shape(block: block), index = block - blocks.lowerBound
    return index * sinogramBlockByteCount(slots: slots) + (slot * shape.sinogramPitch + sinogramMargin)
      * shape.pixelByteCount
  }

  private func wholePages(_ count: Int) -> Int { (count + 4095) & ~4095 }
}
