import Glibc
import KernelTypes
import Testing

@testable import Tomography

@Suite struct ForwardCutTests {
  @Test(arguments: [1, 2, 4, 20, 36, 64, 100, 150, 200], [nil, 2, 4, 16, 48, 64, 80] as [Int?])
  func `the pieces are all lanes of all blocks and all bins of all parts of the rays, once each`(
    rows: Int, lanes: Int?
  ) {
    let layout = SliceLayout(columns: 30, rows: rows, lanes: lanes)
    for threads in [1, 2, 3, 16, 100] {
      for blocks in [0..<layout.blockCount, layout.blockCount - 1..<layout.blockCount] {
        for rays in [1, 5, 24, 180] {
          let cut = ForwardCut(layout: layout, blocks: blocks, rays: rays, threads: threads)
          // A bit for each of the 15 pairs of bins.
          var pieces: [[Int]: Int] = [:]
          for index in 0..<cut.count {
            let piece = cut.piece(index), pairs = (1 << piece.pairs.upperBound) - (1 << piece.pairs.lowerBound)
            #expect(piece.lanes.count == layout.lanes(block: piece.block) || piece.lanes.count % 16 == 0)
            for lane in piece.lanes {
              let others = pieces[[piece.block, lane, piece.part]] ?? 0
              #expect(others & pairs == 0)
              pieces[[piece.block, lane, piece.part]] = others | pairs
            }
          }
          let all = blocks.reduce(0) { $0 + layout.lanes(block: $1) } * cut.parts
          #expect(pieces.count == all && pieces.values.allSatisfy { $0 == (1 << 15) - 1 } && cut.parts <= rays)
        }
      }
    }
  }

  @Test func `one thread takes whole blocks, few threads parts of the rays, and many share the lanes too`() {
    let layout = SliceLayout(columns: 30, rows: 128)
    let one = ForwardCut(layout: layout, blocks: 0..<2, rays: 180, threads: 1)
    #expect(one.lanes == 64 && one.parts == 1 && one.count == 2)
    let four = ForwardCut(layout: layout, blocks: 0..<2, rays: 24, threads: 4)
    #expect(four.lanes == 64 && four.parts == 2 && four.count == 4)
    let many = ForwardCut(layout: layout, blocks: 0..<2, rays: 24, threads: 16)
    #expect(many.lanes == 32 && many.parts == 4 && many.count == 16)
    let two = ForwardCut(layout: layout, blocks: 0..<2, rays: 24, threads: 2)
    #expect(two.lanes == 64 && two.parts == 1)
  }

  @Test func `threads share one angle by its bins, unless these are too few`() {
    let narrow = ForwardCut(layout: SliceLayout(columns: 30, rows: 64), blocks: 0..<1, rays: 1, threads: 2)
    #expect(narrow.lanes == 32 && narrow.parts == 1 && narrow.binParts == 1)
    let wide = ForwardCut(layout: SliceLayout(columns: 300, rows: 64), blocks: 0..<1, rays: 1, threads: 2)
    #expect(wide.lanes == 64 && wide.parts == 1 && wide.binParts == 2)
  }

  /// Notes how many bodies each loop asks for.
  private final class CountingExecutor: Executor {
    let width = 16
    let cores: Int
    private(set) var counts: [Int] = []

    init(cores: Int) { self.cores = cores }

    func forEach(count: Int, _ body: (Int) -> Void) {
      counts.append(count)
      for index in 0..<count { body(index) }
    }
  }

  private func scan(_ columns: Int, rows: Int, angles: Int) -> Scan {
    let scan = Scan(columns: columns, rows: rows, thetas: (0..<angles).map { 0.01 + 0.13 * Double($0) })
    for row in 0..<rows { scan.set(slice: (0..<columns * columns).map { Float(($0 * 31 + row) % 17) }, row: row) }
    return scan
  }

  private func projected(_ scan: Scan, _ executor: some Executor) -> [[Float]] {
    scan.forward(executor: executor)
    return scan.thetas.indices.map { scan.projection(slot: $0) }
  }

  @Test func `a projection is cut for the cores that there are, and its bits do not depend on it`() {
    let two = CountingExecutor(cores: 2), sixteen = CountingExecutor(cores: 16)
    let scan = scan(40, rows: 64, angles: 24)
    #expect(projected(scan, two) == projected(scan, sixteen))
    #expect(two.counts == [2] && sixteen.counts == [16])
  }

  @Test(arguments: [101, 128], [1, 3]) func `bins of a few angles are shared, and their bits do not depend on it`(
    columns: Int, angles: Int
  ) {
    let scan = scan(columns, rows: 5, angles: angles), one = projected(scan, SerialExecutor())
    for cores in [2, 3, 8] {
      let executor = CountingExecutor(cores: cores)
      #expect(projected(scan, executor) == one, "\(cores) cores")
      #expect(executor.counts[0] > 1, "\(cores) cores")
    }
  }

  /// Pieces are computed at the same time: one that wrote bins of another would add to them twice. What stands there
  /// before is small, so that a sum with it is seen.
  @Test(arguments: [2, 4, 5, 40], KernelTable.levels) func `a part of the bins is written by its piece alone`(
    rows: Int, level: Int
  ) {
    let columns = 101, parts = 3, untouched = Float(bitPattern: 0x3C3C_3C3C)
    let scan = scan(columns, rows: rows, angles: 2)
    scan.forward(level: level)
    let whole = scan.thetas.indices.map { scan.projection(slot: $0) }
    let plan = AnglePlan(capacity: 2), pairs = (columns + 1) / 2
    plan.prepare(scan.angles, beam: scan.beam) { $0 }
    for part in 0..<parts {
      memset(scan.sinogram.start, 0x3C, scan.layout.sinogramBlockByteCount(slots: 2))
      var shape = scan.layout.shape(block: 0)
      shape.usedPairs = pairs * part / parts..<pairs * (part + 1) / parts
      KernelTable(level: level).forward(
        scan.volume.start + scan.layout.pixelOffset(block: 0),
        scan.sinogram.start + scan.layout.binOffset(block: 0, of: 0..<1, slot: 0, slots: 2),
        plan.rays(part: 0, of: 1), shape)
      for slot in 0..<2 {
        let found = scan.projection(slot: slot)
        let wrong = found.indices.filter { index in
          let isOwn = shape.usedPairs.contains(index % columns / 2)
          return found[index] != (isOwn ? whole[slot][index] : untouched)
        }
        #expect(wrong.isEmpty, "part \(part), slot \(slot): \(wrong.prefix(8))")
      }
    }
  }
}
