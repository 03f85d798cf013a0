package import KernelTypes

/// The slices of a generation in the shape and the unit of the finished volume, however they lie in memory.
///
/// A voxel of binned projections stands for all that it covers. Both volumes have the rotation axis in the middle of a
/// slice, so pixel x of `columns` lies in the binned one ⌊(2x + 1 − columns + factor · binned columns) / (2 factor)⌋;
/// what lies beyond the last one, which are fewer than `factor` pixels at an edge, is as that one is.
package struct GenerationSlices {
  /// How the finished volume lies in memory.
  package let layout: SliceLayout
  /// The same of this generation, where it is of binned projections.
  private let live: LiveLayout?
  private let base: UnsafeRawPointer
  /// For each pixel of a slice's edge the one that it lies in.
  private let places: [Int]

  /// The generation at `base`, which is valid as long as this value is used: in `live`, or in `layout` for nil.
  package init(layout: SliceLayout, live: LiveLayout?, base: UnsafeRawPointer) {
    (self.layout, self.live, self.base) = (layout, live, base)
    places = live.map { live in (0..<layout.columns).map { live.place(of: $0, columns: layout.columns) } } ?? []
  }

  /// Copies slice `row`: columns × columns pixels, row 0 on top.
  package func copySlice(row: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    guard let live else { return layout.copySlice(row: row, from: base, into: slice) }
    copy(live, row, lines: 0..<layout.columns, into: slice)
  }

  /// Copies `lines` of the slices `rows`, all of one block of `layout`, to their places in whole slices, one behind the
  /// other.
  package func copySlices(rows: Range<Int>, lines: Range<Int>, into slices: UnsafeMutableBufferPointer<Float>) {
    guard let live else { return layout.copySlices(rows: rows, lines: lines, from: base, into: slices) }
    let pixels = layout.columns * layout.columns
    precondition(slices.count == pixels * rows.count, "\(rows) have \(pixels * rows.count) pixels, not \(slices.count)")
    for (number, row) in rows.enumerated() {
      copy(
        live, row, lines: lines,
        into: UnsafeMutableBufferPointer(rebasing: slices[number * pixels..<(number + 1) * pixels]))
    }
  }

  /// Copies a cut; see `SliceLayout.copyCut`.
  package func copyCut(
    _ axis: CutAxis, at index: Int, rows: [Int], step: Int, into picture: UnsafeMutableBufferPointer<Float>,
    origin: Int, pitch: Int
  ) {
    guard let live else {
      return layout.copyCut(
        axis, at: index, rows: rows, step: step, from: base, into: picture, origin: origin, pitch: pitch)
    }
    precondition(
      step >= 1 && (0..<(axis == .z ? layout.rows : layout.columns)).contains(index),
      "cut \(axis) at \(index), step \(step)")
    let pixels = stride(from: step / 2, to: layout.columns, by: step).map { places[$0] }
    let scale = live.scale
    switch axis {
    case .z:
      let slice = slice(live, index)
      for (i, y) in pixels.enumerated() {
        for (j, x) in pixels.enumerated() { picture[origin + i * pitch + j] = slice[y, x] * scale }
      }
    case .y:
      for (i, row) in rows.enumerated() {
        let slice = slice(live, row)
        for (j, x) in pixels.enumerated() { picture[origin + i * pitch + j] = slice[places[index], x] * scale }
      }
    case .x:
      for (j, row) in rows.enumerated() {
        let slice = slice(live, row)
        for (i, y) in pixels.enumerated() { picture[origin + i * pitch + j] = slice[y, places[index]] * scale }
      }
    }
  }

  /// Each line of the binned slice is read once, and used for all that it covers.
  private func copy(
    _ live: LiveLayout, _ row: Int, lines: Range<Int>, into target: UnsafeMutableBufferPointer<Float>
  ) {
    let columns = layout.columns, slice = slice(live, row), scale = live.scale
    precondition(
      target.count == columns * columns && lines.lowerBound >= 0 && lines.upperBound <= columns,
      "lines \(lines) of \(columns) into \(target.count) pixels")
    for y in lines {
      let line = target.baseAddress! + y * columns
      if y > lines.lowerBound, places[y] == places[y - 1] {
        line.update(from: line - columns, count: columns)
      } else {
        for x in 0..<columns { line[x] = slice[places[y], places[x]] * scale }
      }
    }
  }

  /// A slice of binned projections.
  private struct Lane {
    let first: UnsafePointer<Float>
    let (pitch, lanes): (Int, Int)

    subscript(_ y: Int, _ x: Int) -> Float { first[(y * pitch + x) * lanes] }
  }

  private func slice(_ live: LiveLayout, _ row: Int) -> Lane {
    precondition((0..<layout.rows).contains(row), "row \(row) of \(layout.rows)")
    let (row, lanes) = (row / live.factor, live.layout.lanes), block = row / lanes
    return Lane(
      first: (base + live.layout.pixelOffset(block: block)).assumingMemoryBound(to: Float.self) + row % lanes,
      pitch: live.layout.shape.volumePitch, lanes: live.layout.lanes(block: block))
  }
}

extension LiveLayout {
  /// From 1/pixel of a binned voxel to that of the detector.
  package var scale: Float { 1 / Float(factor) }

  /// The pixel of the binned slice's edge in which one of `columns` lies.
  func place(of pixel: Int, columns: Int) -> Int {
    let doubled = 2 * pixel + 1 - columns + factor * layout.columns
    return min(max(doubled / (2 * factor), 0), layout.columns - 1)
  }
}
