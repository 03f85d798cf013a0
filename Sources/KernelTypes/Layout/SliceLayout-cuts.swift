/// The three directions that a volume is cut across.
package enum CutAxis: String, CaseIterable, Sendable {
  /// A slice: row × column.
  case z
  /// Along a row of every slice: z × column.
  case y
  /// Along a column of every slice: row × z.
  case x
}

extension SliceLayout {
  /// Copies a cut through the volume of these rows (z), every `step`-th pixel from `step / 2` on, into a larger
  /// picture: the pixel that belongs to pixel (i, j) of the cut goes to `picture[origin + i * pitch + j]`. The cut is
  /// row × column for z, z × column for y, row × z for x.
  ///
  /// - Parameters:
  ///   - index: the slice within these rows for z, the row for y, the column for x.
  ///   - rows: for y and x, the slices to take.
  ///   - step: pixels of a slice from one that is copied to the next.
  package func copyCut(
    _ axis: CutAxis, at index: Int, rows: [Int], step: Int, from volume: UnsafeRawPointer,
    into picture: UnsafeMutableBufferPointer<Float>, origin: Int, pitch: Int
  ) {
    precondition(
      step >= 1 && (0..<(axis == .z ? self.rows : columns)).contains(index), "cut \(axis) at \(index), step \(step)")
    let pixels = Array(stride(from: step / 2, to: columns, by: step))
    let pitchOfRow = shape.volumePitch
    switch axis {
    case .z:
      let (slice, lanes) = lane(row: index, in: volume)
      for (i, y) in pixels.enumerated() {
        for (j, x) in pixels.enumerated() { picture[origin + i * pitch + j] = slice[(y * pitchOfRow + x) * lanes] }
      }
    case .y:
      for (i, row) in rows.enumerated() {
        let (slice, lanes) = lane(row: row, in: volume)
        for (j, x) in pixels.enumerated() { picture[origin + i * pitch + j] = slice[(index * pitchOfRow + x) * lanes] }
      }
    case .x:
      for (j, row) in rows.enumerated() {
        let (slice, lanes) = lane(row: row, in: volume)
        for (i, y) in pixels.enumerated() { picture[origin + i * pitch + j] = slice[(y * pitchOfRow + index) * lanes] }
      }
    }
  }

  /// Pixel (0, 0) of a slice, and how many values lie from one pixel to the next.
  private func lane(row: Int, in volume: UnsafeRawPointer) -> (first: UnsafePointer<Float>, lanes: Int) {
    precondition((0..<rows).contains(row), "row \(row) of \(rows)")
    let block = row / lanes
    return ((volume + pixelOffset(block: block)).assumingMemoryBound(to: Float.self) + row % lanes, lanes(block: block))
  }
}
