import Host
import KernelTypes
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct CoarseGridTests {
  private static let thetas = (0..<40).map { Double($0) * .pi / 40 }

  /// A scan, and what is binned of it.
  private struct Pair {
    let fine: Scan
    let coarse: Scan

    init(columns: Int, rows: Int, foam: Bool = true) {
      fine = Scan(columns: columns, rows: rows, thetas: thetas)
      coarse = Scan(columns: columns / 2, rows: (rows + 1) / 2, thetas: thetas)
      guard foam else { return }
      let sample = Foam(rows: rows, columns: columns, seed: 11)
      var (lines, binned) = (
        [Float](repeating: 0, count: rows * columns), [Float](repeating: 0, count: coarse.layout.rows * (columns / 2))
      )
      for (slot, theta) in thetas.enumerated() {
        for row in 0..<rows {
          lines.withUnsafeMutableBufferPointer {
            sample.lineIntegrals(
              row: row, theta: theta, columns: columns, rotationAxis: Double(columns) / 2,
              into: UnsafeMutableBufferPointer(rebasing: $0[row * columns..<(row + 1) * columns]))
          }
        }
        fine.set(projection: lines, slot: slot)
        binLineIntegrals(lines, rows: rows, columns: columns, by: 2, into: &binned)
        coarse.set(projection: binned, slot: slot)
      }
    }

    func grid(_ method: Method = .sirt(SIRTOptions())) -> CoarseGrid {
      CoarseGrid(fine: fine.layout, coarse: coarse.layout, method: method)
    }

    func restrict(_ grid: CoarseGrid, executor: some Executor = SerialExecutor()) {
      grid.restrict(fine.volume.start, into: coarse.volume.start, executor: executor)
    }

    func prolong(_ grid: CoarseGrid, executor: some Executor = SerialExecutor()) {
      grid.prolong(coarse.volume.start, into: fine.volume.start, blocks: fine.blocks, executor: executor)
    }

    var slices: [[Float]] { (0..<fine.layout.rows).map { fine.slice($0) } }
    var coarseSlices: [[Float]] { (0..<coarse.layout.rows).map { coarse.slice($0) } }
  }

  @Test(arguments: [(24, 5), (25, 4), (24, 1)]) func `A coarse voxel is what its voxels are, of twice the edge`(
    columns: Int, rows: Int
  ) {
    let pair = Pair(columns: columns, rows: rows, foam: false)
    // Rises along x by 1, along y by 10, and from slice to slice by 100, from the middle.
    for row in 0..<rows {
      let slice = (0..<columns * columns).map { pixel in
        Float(pixel % columns) + 0.5 - Float(columns) / 2
          + 10 * (Float(pixel / columns) + 0.5 - Float(columns) / 2) + 100 * Float(row)
      }
      pair.fine.set(slice: slice, row: row)
    }
    pair.restrict(pair.grid())
    let edge = columns / 2
    for row in 0..<(rows + 1) / 2 {
      let slice = pair.coarse.slice(row)
      let height = 2 * row + 1 < rows ? 200 * Float(row) + 50 : 200 * Float(row)
      for pixel in slice.indices {
        let x = 2 * (Float(pixel % edge) + 0.5) - Float(edge), y = 2 * (Float(pixel / edge) + 0.5) - Float(edge)
        #expect(abs(slice[pixel] - 2 * (x + 10 * y + height)) < 1e-2, "row \(row), pixel \(pixel)")
      }
    }
  }

  @Test(arguments: [(48, 3), (49, 4), (16, 70)]) func `Half of a coarse voxel is in each that it covers, and back`(
    columns: Int, rows: Int
  ) {
    let pair = Pair(columns: columns, rows: rows, foam: false)
    var random = SplitMix64(seed: 5)
    for row in 0..<pair.coarse.layout.rows {
      pair.coarse.set(
        slice: (0..<(columns / 2) * (columns / 2)).map { _ in Float.random(in: 0...1, using: &random) }, row: row)
    }
    let before = pair.coarseSlices
    pair.prolong(pair.grid())
    let sums = (pair.slices.joined().reduce(0, +), before.joined().reduce(0, +))
    // Of an odd edge the outermost half pixels are more, and of odd rows the last slice is for one.
    if columns % 2 == 0, rows % 2 == 0 { #expect(abs(sums.0 - 4 * sums.1) < 1e-3 * sums.0) }
    for row in 0..<rows {
      for (pixel, value) in pair.fine.slice(row).enumerated() {
        let (x, y) = (pixel % columns, pixel / columns)
        // Of an odd edge every other pixel is in the middle of a coarse one; between them are means.
        guard columns % 2 == 0 || x % 2 == 1 && y % 2 == 1 else { continue }
        #expect(value == before[row / 2][y / 2 * (columns / 2) + x / 2] / 2, "row \(row), pixel \(pixel)")
      }
    }
    guard columns % 2 == 0 else {
      let line = Array(pair.fine.slice(0)[columns..<2 * columns])
      for x in stride(from: 2, to: columns - 1, by: 2) {
        #expect(abs(line[x] - (line[x - 1] + line[x + 1]) / 2) < 1e-6)
      }
      return
    }
    pair.restrict(pair.grid())
    #expect(pair.coarseSlices == before)
  }

  @Test(arguments: [48, 49]) func `Coarse updates come near the sample, and finer ones go on from there`(columns: Int) {
    let options = SIRTOptions(nonNegative: true)
    let pair = Pair(columns: columns, rows: 3), grid = pair.grid(.sirt(options))
    pair.coarse.solve(options, iterations: 12)
    pair.prolong(grid)
    let carried = pair.fine.solve(options, iterations: 1).relative
    let plain = Scan(columns: columns, rows: 3, thetas: Self.thetas)
    for slot in Self.thetas.indices { plain.set(projection: pair.fine.projection(slot: slot), slot: slot) }
    let direct = plain.solve(options, iterations: 13).relative
    #expect(carried < 2 * direct, "\(carried) on the way over a coarse grid, \(direct) without")
    // And back: what all pixels show is no worse on the coarse grid than what that had.
    pair.restrict(grid)
    #expect(pair.coarse.solve(options, iterations: 1).relative < 2 * direct)
  }

  @Test func `Outside the disk there is nothing, and a slice that is not there stays empty`() {
    let pair = Pair(columns: 33, rows: 3, foam: false)
    let grid = pair.grid(.sirt(SIRTOptions(diskMask: true)))
    for row in 0...2 { pair.fine.set(slice: Array(repeating: 1, count: 33 * 33), row: row) }
    pair.restrict(grid)
    let coarse = DiskMask(columns: 16, isDisk: true)
    for slice in pair.coarseSlices {
      for pixel in slice.indices {
        #expect((slice[pixel] != 0) == coarse.columns(row: pixel / 16).contains(pixel % 16))
      }
    }
    for row in 0...1 { pair.coarse.set(slice: Array(repeating: 1, count: 16 * 16), row: row) }
    let mask = DiskMask(columns: 33, isDisk: true)
    pair.prolong(grid)
    for slice in pair.slices {
      for pixel in slice.indices {
        #expect((slice[pixel] != 0) == mask.columns(row: pixel / 33).contains(pixel % 33), "pixel \(pixel)")
      }
    }
    // The fourth lane of the block.
    let shape = pair.fine.layout.shape(block: 0)
    let voxels = (pair.fine.volume.start + pair.fine.layout.pixelOffset(block: 0)).assumingMemoryBound(to: Float.self)
    let empty = (0..<33 * 33).allSatisfy {
      voxels[($0 / 33 * shape.volumePitch + $0 % 33) * shape.lanes + 3] == 0
    }
    #expect(shape.lanes == 4 && empty)
  }

  @Test func `The same bits for any threads, and for rows that are cut at even ones`() {
    let rows = 70, whole = Pair(columns: 16, rows: rows)
    for row in 0..<rows { whole.fine.set(slice: (0..<256).map { Float(($0 * 37 + row * 11) % 101) }, row: row) }
    let slices = whole.slices
    whole.restrict(whole.grid(), executor: ThreadExecutor(width: 3))
    let coarse = whole.coarseSlices
    whole.prolong(whole.grid(), executor: ThreadExecutor(width: 3))
    for range in [0..<rows, 0..<6, 6..<38, 38..<70] {
      let part = Pair(columns: 16, rows: range.count, foam: false)
      for row in range { part.fine.set(slice: slices[row], row: row - range.lowerBound) }
      part.restrict(part.grid())
      #expect(part.coarseSlices == Array(coarse[range.lowerBound / 2..<(range.upperBound + 1) / 2]), "rows \(range)")
      part.prolong(part.grid())
      #expect(part.slices == Array(whole.slices[range]), "rows \(range)")
    }
  }
}
