/// Which voxels of a slice take part: all, or those whose centres lie within columns / 2 of the axis.
package struct DiskMask {
  let columns: Int
  let isDisk: Bool

  /// Of slices with so many columns, and as many rows; without `isDisk` all voxels take part.
  package init(columns: Int, isDisk: Bool) { (self.columns, self.isDisk) = (columns, isDisk) }

  /// Columns that take part in `row`, perhaps none.
  package func columns(row: Int) -> Range<Int> {
    guard isDisk else { return 0..<columns }
    let half = 0.5 * Double(columns), y = half - Double(row) - 0.5
    let reach = (max(0, half * half - y * y)).squareRoot()
    // X = column + 0.5 − half within ±reach; symmetric, so that only one limit is computed.
    let first = Int((half - 0.5 - reach).rounded(.up))
    return first..<max(first, columns - first)
  }

  func contains(column: Int, row: Int) -> Bool {
    (0..<columns).contains(row) && columns(row: row).contains(column)
  }
}
