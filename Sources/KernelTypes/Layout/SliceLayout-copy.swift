extension SliceLayout {
  /// Copies slice `row` out of a volume: columns × columns pixels, row 0 on top.
  package func copySlice(row: Int, from volume: UnsafeRawPointer, into slice: UnsafeMutableBufferPointer<Float>) {
    precondition(slice.count == columns * columns, "a slice has \(columns * columns) pixels, not \(slice.count)")
    let source = lane(row: row, in: volume)
    forEachPixel(row: row) { pixel, offset in slice[pixel] = source[offset] }
  }

  /// Copies `lines` of the slices `rows`, all of one block, out of a volume to their places in whole slices, one behind
  /// the other: a transposition in pieces that stay in the first-level cache. Up to 16 slices are read from the same
  /// lines of it.
  package func copySlices(
    rows: Range<Int>, lines: Range<Int>, from volume: UnsafeRawPointer,
    into slices: UnsafeMutableBufferPointer<Float>
  ) {
    let pixels = columns * columns, lanes = lanes(block: rows.lowerBound / lanes), pitch = shape.volumePitch
    precondition(
      slices.count == pixels * rows.count && !rows.isEmpty,
      "\(rows) have \(pixels * rows.count) pixels, not \(slices.count)")
    precondition(
      rows.lowerBound / self.lanes == (rows.upperBound - 1) / self.lanes && rows.upperBound <= self.rows,
      "rows \(rows) of \(self.rows), \(self.lanes) a block")
    precondition(lines.lowerBound >= 0 && lines.upperBound <= columns, "lines \(lines) of \(columns)")
    let (source, target) = (lane(row: rows.lowerBound, in: volume), slices.baseAddress!)
    for y in lines {
      for first in stride(from: 0, to: columns, by: 16) {
        let (count, tile) = (min(16, columns - first), source + (y * pitch + first) * lanes)
        for slice in 0..<rows.count {
          let line = target + slice * pixels + y * columns + first
          for x in 0..<count { line[x] = tile[x * lanes + slice] }
        }
      }
    }
  }

  /// Puts slice `row` (columns × columns pixels, row 0 on top) into a volume.
  package func setSlice(row: Int, in volume: UnsafeMutableRawPointer, from slice: UnsafeBufferPointer<Float>) {
    precondition(slice.count == columns * columns, "a slice has \(columns * columns) pixels, not \(slice.count)")
    let target = UnsafeMutablePointer(mutating: lane(row: row, in: volume))
    forEachPixel(row: row) { pixel, offset in target[offset] = slice[pixel] }
  }

  /// Puts one projection (all rows × columns of the detector) into `slot` of a sinogram that holds exactly `blocks`.
  /// Rows of other blocks are not read; bins that the detector does not measure become zero.
  package func storeProjection(
    _ rows: UnsafePointer<Float>, blocks: Range<Int>, slot: Int, slots: Int, into sinogram: UnsafeMutableRawPointer
  ) {
    precondition((0..<slots).contains(slot), "slot \(slot) of \(slots)")
    for block in checked(blocks) {
      let lanes = lanes(block: block)
      let bins = (sinogram + binOffset(block: block, of: blocks, slot: slot, slots: slots)).assumingMemoryBound(
        to: Float.self)
      clearUnmeasured(of: bins, block: block)
      let used = self.rows(of: block..<block + 1), first = bins + measured.lowerBound * lanes
      forEachTile(lanes: used.count) { lane, columns in
        let source = rows + (used.lowerBound + lane) * measured.count
        for column in columns { first[column * lanes + lane] = source[column] }
      }
      for lane in used.count..<lanes {
        for column in 0..<measured.count { first[column * lanes + lane] = 0 }
      }
    }
  }

  /// Copies `slot` of a sinogram that holds exactly `blocks` into a projection (all rows × columns of the detector), of
  /// which only those rows are written.
  package func copyProjection(
    slot: Int, slots: Int, from sinogram: UnsafeRawPointer, blocks: Range<Int>, into rows: UnsafeMutablePointer<Float>
  ) {
    precondition((0..<slots).contains(slot), "slot \(slot) of \(slots)")
    for block in checked(blocks) {
      let lanes = lanes(block: block)
      let bins = (sinogram + binOffset(block: block, of: blocks, slot: slot, slots: slots)).assumingMemoryBound(
        to: Float.self)
      let used = self.rows(of: block..<block + 1), first = bins + measured.lowerBound * lanes
      forEachTile(lanes: used.count) { lane, columns in
        let target = rows + (used.lowerBound + lane) * measured.count
        for column in columns { target[column] = first[column * lanes + lane] }
      }
    }
  }

  /// Zeroes the margins of a sinogram row of `block`, whose bin 0 is `bins`: the memory may have held a row of a wider
  /// block.
  package func clearMargins(of bins: UnsafeMutableRawPointer, block: Int) {
    let shape = shape(block: block), pixel = shape.pixelByteCount,
      after = shape.sinogramPitch - columns - sinogramMargin
    (bins - sinogramMargin * pixel).initializeMemory(as: UInt8.self, repeating: 0, count: sinogramMargin * pixel)
    (bins + columns * pixel).initializeMemory(as: UInt8.self, repeating: 0, count: after * pixel)
  }

  /// Zeroes the bins of a sinogram row of `block`, whose bin 0 is `bins`, that the detector does not measure, and its
  /// margins.
  package func clearUnmeasured(of bins: UnsafeMutableRawPointer, block: Int) {
    clearMargins(of: bins, block: block)
    let pixel = shape(block: block).pixelByteCount
    bins.initializeMemory(as: UInt8.self, repeating: 0, count: measured.lowerBound * pixel)
    (bins + measured.upperBound * pixel).initializeMemory(
      as: UInt8.self, repeating: 0, count: (columns - measured.upperBound) * pixel)
  }

  package func checked(_ blocks: Range<Int>) -> Range<Int> {
    precondition(blocks.lowerBound >= 0 && blocks.upperBound <= blockCount, "blocks \(blocks) of \(blockCount)")
    return blocks
  }

  private func lane(row: Int, in volume: UnsafeRawPointer) -> UnsafePointer<Float> {
    precondition((0..<rows).contains(row), "row \(row) of \(rows)")
    return (volume + pixelOffset(block: row / lanes)).assumingMemoryBound(to: Float.self) + row % lanes
  }

  @inline(__always) private func forEachPixel(row: Int, _ body: (_ pixel: Int, _ offset: Int) -> Void) {
    let pitch = shape.volumePitch, lanes = lanes(block: row / lanes)
    for y in 0..<columns {
      for x in 0..<columns { body(y * columns + x, (y * pitch + x) * lanes) }
    }
  }

  /// A transposition in pieces of a few of the detector's columns, so that both sides stay in the first-level cache.
  @inline(__always) private func forEachTile(lanes used: Int, _ body: (_ lane: Int, _ columns: Range<Int>) -> Void) {
    for first in stride(from: 0, to: measured.count, by: 32) {
      for lane in 0..<used { body(lane, first..<min(first + 32, measured.count)) }
    }
  }
}
