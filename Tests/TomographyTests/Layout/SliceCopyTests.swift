import KernelTypes
import Testing

@Suite struct SliceCopyTests {
  /// Blocks of every width, whole and begun, and slices of no whole number of tiles.
  @Test(arguments: [1, 2, 3, 5, 17, 40, 64, 70, 130], [1, 16, 37])
  func `Slices that are copied together are those that are copied one by one`(rows: Int, columns: Int) {
    let scan = Scan(columns: columns, rows: rows, thetas: [0])
    let layout = scan.layout, pixels = columns * columns
    for row in 0..<rows {
      (0..<pixels).map { Float($0 + row * pixels) }.withUnsafeBufferPointer {
        layout.setSlice(row: row, in: scan.volume.start, from: $0)
      }
    }
    for block in 0..<layout.blockCount {
      let whole = layout.rows(of: block..<block + 1)
      for length in [1, 2, 16] {
        for first in stride(from: whole.lowerBound, to: whole.upperBound, by: length) {
          let group = first..<min(first + length, whole.upperBound)
          var slices = [Float](repeating: .nan, count: group.count * pixels)
          slices.withUnsafeMutableBufferPointer { slices in
            for lines in [columns / 2..<columns, 0..<columns / 2] {
              layout.copySlices(rows: group, lines: lines, from: scan.volume.start, into: slices)
            }
          }
          #expect(slices == (0..<slices.count).map { Float($0 + first * pixels) }, "\(group) of \(rows)")
        }
      }
    }
  }
}
