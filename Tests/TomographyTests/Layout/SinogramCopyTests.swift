import KernelTypes
import Testing

@Suite struct SinogramCopyTests {
  @Test(arguments: [1, 21, 70]) func `A row of a sinogram is taken out and put back`(rows: Int) {
    let scan = Scan(columns: 37, rows: rows, thetas: [0, 0.5, 1, 1.5])
    for slot in 0..<4 { scan.set(projection: (0..<rows * 37).map { Float($0 + slot * 10_000) }, slot: slot) }
    let changed = Set([0, rows / 2, rows - 1])
    for row in changed {
      let block = row / scan.layout.lanes
      let offset = block * scan.layout.sinogramBlockByteCount(slots: 4)
      var sinogram = [Float](repeating: .nan, count: 3 * 37)
      scan.layout.copySinogram(
        row: row, slots: 4, angles: 3, from: scan.sinogram.start + offset, blocks: block..<block + 1, into: &sinogram)
      #expect(sinogram == (0..<3 * 37).map { Float(row * 37 + $0 % 37 + $0 / 37 * 10_000) })
      scan.layout.setSinogram(
        row: row, slots: 4, angles: 3, in: scan.sinogram.start + offset, blocks: block..<block + 1,
        from: sinogram.map { -$0 })
    }
    for slot in 0..<4 {
      let expected = (0..<rows * 37).map {
        Float($0 + slot * 10_000) * (slot < 3 && changed.contains($0 / 37) ? -1 : 1)
      }
      #expect(scan.projection(slot: slot) == expected)
    }
  }
}
