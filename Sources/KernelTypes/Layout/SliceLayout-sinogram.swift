// One detector row over all angles, out of a sinogram that holds exactly `blocks` and back.
extension SliceLayout {
  /// Copies detector row `row` of the first `angles` slots into angles × columns of the detector, one angle after the
  /// other.
  package func copySinogram(
    row: Int, slots: Int, angles: Int, from sinogram: UnsafeRawPointer, blocks: Range<Int>,
    into target: UnsafeMutablePointer<Float>
  ) {
    forEachSlot(row: row, slots: slots, angles: angles, blocks: blocks) { slot, offset, lanes in
      let bins = (sinogram + offset).assumingMemoryBound(to: Float.self), line = target + slot * measured.count
      for column in 0..<measured.count { line[column] = bins[column * lanes] }
    }
  }

  /// Puts angles × columns of the detector into detector row `row` of the first `angles` slots.
  package func setSinogram(
    row: Int, slots: Int, angles: Int, in sinogram: UnsafeMutableRawPointer, blocks: Range<Int>,
    from source: UnsafePointer<Float>
  ) {
    forEachSlot(row: row, slots: slots, angles: angles, blocks: blocks) { slot, offset, lanes in
      let bins = (sinogram + offset).assumingMemoryBound(to: Float.self), line = source + slot * measured.count
      for column in 0..<measured.count { bins[column * lanes] = line[column] }
    }
  }

  /// The offset of the row's first measured bin in each slot, and the values from one of its bins to the next.
  @inline(__always) private func forEachSlot(
    row: Int, slots: Int, angles: Int, blocks: Range<Int>, _ body: (_ slot: Int, _ offset: Int, _ lanes: Int) -> Void
  ) {
    precondition(rows(of: checked(blocks)).contains(row), "row \(row) is not in blocks \(blocks)")
    precondition((0...slots).contains(angles), "\(angles) angles of \(slots) slots")
    let block = row / lanes, lane = row % lanes * MemoryLayout<Float>.stride, width = lanes(block: block)
    let first = lane + measuredOffset(block: block)
    for slot in 0..<angles { body(slot, binOffset(block: block, of: blocks, slot: slot, slots: slots) + first, width) }
  }
}
