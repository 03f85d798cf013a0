/// Averages blocks of `factor` × `factor` line integrals into one.
///
/// Columns that do not fill a block are dropped: a rotation axis at `a` pixels from the detector's left edge moves to
/// `a / factor`. Rows that do not fill one are a block of their own, so the result has ⌈`rows` / `factor`⌉ ×
/// ⌊`columns` / `factor`⌋ of them. The mean of line integrals is the integral of a sample whose voxels are means of as
/// many, where the logarithm of the mean of counts is not.
///
/// - Parameters:
///   - values: `rows` × `columns` line integrals, row by row.
///   - factor: 2 or more, and no more than there are columns.
///   - output: room for the result, row by row; must not overlap `values`.
package func binLineIntegrals(
  _ values: UnsafePointer<Float>, rows: Int, columns: Int, by factor: Int, into output: UnsafeMutablePointer<Float>
) {
  precondition(factor > 1 && factor <= columns && rows > 0, "binning \(rows) × \(columns) line integrals by \(factor)")
  let binnedColumns = columns / factor
  for first in stride(from: 0, to: rows, by: factor) {
    let target = output + first / factor * binnedColumns, count = min(factor, rows - first)
    target.update(repeating: 0, count: binnedColumns)
    for row in first..<first + count {
      var value = values + row * columns
      for column in 0..<binnedColumns {
        for _ in 0..<factor {
          target[column] += value.pointee
          value += 1
        }
      }
    }
    let share = 1 / Float(count * factor)
    for column in 0..<binnedColumns { target[column] *= share }
  }
}
