package import Host

/// Averages blocks of `factor` × `factor` detector pixels into one.
///
/// Rows and columns that do not fill a block are dropped, so the result has `rows / factor` × `columns / factor`
/// pixels, and a rotation axis at `a` pixels from the detector's left edge moves to `a / factor`. NaN and infinite
/// pixels are left out of their block's mean; a block with no finite pixel is NaN. Counts, flat and dark fields are
/// binned alike, before the correction.
///
/// - Parameters:
///   - counts: `rows` × `columns` pixels, row by row, at any alignment.
///   - factor: 2ᵏ for the command line's `--binning k`; any factor of at least 1 is taken here.
///   - output: room for the binned pixels, row by row; must not overlap `counts`.
package func bin(
  _ counts: UnsafeRawPointer, type: PixelType, rows: Int, columns: Int, by factor: Int,
  into output: UnsafeMutablePointer<Float>
) {
  precondition(factor >= 1 && factor <= rows && factor <= columns, "binning \(rows) × \(columns) pixels by \(factor)")
  let binnedColumns = columns / factor
  withUnsafeTemporaryAllocation(of: Float.self, capacity: columns * 2) { scratch in
    // `line` is a detector row, `sums` and `finiteCounts` hold one number a column of the output, at most half of
    // `columns` each unless the factor is 1, where nothing is summed.
    let line = scratch.baseAddress!
    let sums = line + columns
    for binnedRow in 0..<rows / factor {
      let target = output + binnedRow * binnedColumns
      if factor == 1 {
        type.widen(counts + binnedRow * columns * type.byteCount, count: columns, into: target)
        continue
      }
      let finiteCounts = sums + binnedColumns
      sums.update(repeating: 0, count: 2 * binnedColumns)
      for row in binnedRow * factor..<(binnedRow + 1) * factor {
        type.widen(counts + row * columns * type.byteCount, count: columns, into: line)
        addBlocks(line, count: binnedColumns, factor: factor, sums: sums, finiteCounts: finiteCounts)
      }
      for column in 0..<binnedColumns { target[column] = sums[column] / finiteCounts[column] }
    }
  }
}

/// Adds the finite pixels of each run of `factor` to the sum and the count of its output column.
private func addBlocks(
  _ line: UnsafePointer<Float>, count: Int, factor: Int, sums: UnsafeMutablePointer<Float>,
  finiteCounts: UnsafeMutablePointer<Float>
) {
  for column in 0..<count {
    var pixel = line + column * factor
    for _ in 0..<factor {
      let value = pixel.pointee
      sums[column] += value.isFinite ? value : 0
      finiteCounts[column] += value.isFinite ? 1 : 0
      pixel += 1
    }
  }
}
