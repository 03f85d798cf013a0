import Host
import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

/// What lies outside the inscribed disk.
@Suite struct DiskMaskTests {
  @Test(arguments: [1, 31, 64, 100, 225, 226, 1000, 1293, 2048])
  func `a tile outside the disk is one that no row of the mask meets`(columns: Int) {
    let mask = DiskMask(columns: columns, isDisk: true)
    for row in stride(from: 0, to: columns, by: Tile.edge) {
      for column in stride(from: 0, to: columns, by: Tile.edge) {
        let tile = Tile(column: column, row: row, columns: columns)
        let isMet = (row..<row + tile.height).contains { mask.columns(row: $0).overlaps(column..<column + tile.width) }
        #expect(
          Tile.isOutsideDisk(column: column, row: row, columns: columns) == !isMet, "(\(row), \(column)) of \(columns)")
      }
    }
  }

  @Test(arguments: [2, 20])
  func `leaving out the tiles outside the disk changes no bit`(rows: Int) {
    let columns = 226, thetas = (0..<7).map { 0.1 + 0.43 * Double($0) }
    var random = SplitMix64(seed: 5)
    let scan = Scan(columns: columns, rows: rows, axis: 110.3, thetas: thetas),
      mask = DiskMask(columns: columns, isDisk: true)
    for row in 0..<rows {
      scan.set(
        slice: (0..<columns * columns).map {
          mask.contains(column: $0 % columns, row: $0 / columns) ? .random(in: -1...1, using: &random) : 0
        }, row: row)
    }
    let plan = AnglePlan(capacity: thetas.count)
    plan.prepare(scan.angles, beam: scan.beam) { $0 }
    let scales = [Float](
      (0..<columns).flatMap { row in
        (0..<(columns + 15) & ~15).map { mask.contains(column: $0, row: row) ? 0.01 : 0 }
      })
    let results = [false, true].map { isDisk -> (projections: [[Float]], slices: [[Float]]) in
      let pass = ProjectionPass(layout: scan.layout, kernels: KernelTable(), plan: plan, isDisk: isDisk)
      pass.forward(
        volume: scan.volume.start, sinogram: scan.sinogram.start, slots: 7, blocks: scan.blocks,
        executor: SerialExecutor())
      let next = Memory(byteCount: scan.layout.volumeByteCount)
      _ = scales.withUnsafeBufferPointer { scales in
        pass.back(
          sinogram: scan.sinogram.start, slots: 7, blocks: scan.blocks,
          scratch: TileScratch(layout: scan.layout, workers: 1),
          executor: SerialExecutor(),
          target: { block in
            let offset = scan.layout.pixelOffset(block: block)
            return TileTarget(
              next: next.start + offset,
              update: TileTarget.Update(
                x: scan.volume.start + offset, scales: scales.baseAddress!, scalesPitch: (columns + 15) & ~15,
                isNonNegative: false,
                streams: true))
          })
      }
      return ((0..<7).map { scan.projection(slot: $0) }, (0..<rows).map { scan.slice($0, of: next) })
    }
    // Not the arrays themselves, which a failure would print.
    let (areProjectionsEqual, areSlicesEqual) = (
      results[0].projections == results[1].projections, results[0].slices == results[1].slices
    )
    #expect(areProjectionsEqual && areSlicesEqual)
    let isUpdated = results[0].slices[0] != scan.slice(0)
    #expect(isUpdated)
  }
}
