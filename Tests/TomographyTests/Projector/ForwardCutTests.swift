import KernelTypes
import Testing

@testable import Tomography

@Suite struct ForwardCutTests {
  @Test(arguments: [1, 2, 4, 20, 36, 64, 100, 150, 200], [nil, 2, 4, 16, 48, 64, 80] as [Int?])
  func `the pieces are all lanes of all blocks and all parts of the rays, once each`(rows: Int, lanes: Int?) {
    let layout = SliceLayout(columns: 30, rows: rows, lanes: lanes)
    for threads in [1, 2, 3, 16, 100] {
      for blocks in [0..<layout.blockCount, layout.blockCount - 1..<layout.blockCount] {
        for rays in [1, 5, 24, 180] {
          let cut = ForwardCut(layout: layout, blocks: blocks, rays: rays, threads: threads)
          var pieces: [[Int]: Int] = [:]
          for index in 0..<cut.count {
            let piece = cut.piece(index)
            #expect(piece.lanes.count == layout.lanes(block: piece.block) || piece.lanes.count % 16 == 0)
            for lane in piece.lanes { pieces[[piece.block, lane, piece.part], default: 0] += 1 }
          }
          let all = blocks.reduce(0) { $0 + layout.lanes(block: $1) } * cut.parts
          #expect(pieces.count == all && pieces.values.allSatisfy { $0 == 1 } && cut.parts <= rays)
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
    #expect(many.lanes == 16 && many.parts == 2 && many.count == 16)
    let two = ForwardCut(layout: layout, blocks: 0..<2, rays: 24, threads: 2)
    #expect(two.lanes == 64 && two.parts == 1)
  }
}
