import KernelTypes
import Testing

@Suite struct SliceLayoutTests {
  @Test(arguments: [
    (1, 2), (2, 2), (3, 4), (4, 4), (5, 16), (16, 16), (17, 32), (32, 32), (33, 48), (49, 64), (100, 64),
  ])
  func `the default lanes suit the number of rows`(rows: Int, lanes: Int) {
    #expect(SliceLayout(columns: 10, rows: rows).lanes == lanes)
  }

  @Test(arguments: [
    (100, 64, 48), (66, 64, 2), (68, 64, 4), (69, 64, 16), (128, 64, 64), (3, 64, 4), (20, 16, 4), (9, 4, 2), (9, 2, 2),
  ])
  func `the last block has no more lanes than its rows need`(rows: Int, lanes: Int, last: Int) {
    let layout = SliceLayout(columns: 10, rows: rows, lanes: lanes)
    #expect(layout.lanes(block: layout.blockCount - 1) == last)
    #expect((0..<layout.blockCount - 1).allSatisfy { layout.lanes(block: $0) == lanes })
    #expect(layout.laneCount == (0..<layout.blockCount).reduce(0) { $0 + layout.lanes(block: $1) })
  }

  @Test(arguments: [1, 2, 3, 31, 32, 33, 640])
  func `blocks are whole pages`(columns: Int) {
    for lanes in [2, 4, 16, 32, 48, 64] {
      let layout = SliceLayout(columns: columns, rows: 100, lanes: lanes)
      #expect(layout.blockCount * lanes >= 100 && (layout.blockCount - 1) * lanes < 100)
      #expect(layout.volumeBlockByteCount % 4096 == 0 && layout.sinogramBlockByteCount(slots: 7) % 4096 == 0)
      #expect(layout.volumeByteCount == layout.blockCount * layout.volumeBlockByteCount)
      #expect(layout.volumeBlockByteCount >= columns * columns * lanes * 4)
    }
  }

  @Test(arguments: [1, 640, 5000])
  func `the longest sinogram block is just within 32-bit offsets`(columns: Int) {
    for lanes in [4, 16, 64] {
      let layout = SliceLayout(columns: columns, rows: 100, lanes: lanes)
      let units = layout.sinogramBlockByteCount(slots: layout.slotsMax) / 16
      #expect(units <= Int(Int32.max) && units + layout.shape.sinogramPitch * lanes / 4 + 512 > Int(Int32.max))
    }
  }

  @Test(arguments: [2, 4, 16, 32, 64])
  func `slices come back as they were set`(lanes: Int) {
    let scan = Scan(columns: 13, rows: 21, lanes: lanes, thetas: [0])
    let slices = (0..<21).map { row in (0..<169).map { Float(row * 1000 + $0) } }
    for row in 0..<21 { scan.set(slice: slices[row], row: row) }
    for row in 0..<21 { #expect(scan.slice(row) == slices[row]) }
  }

  @Test func `a projection fills its slot and the rows of its blocks only`() {
    let scan = Scan(columns: 35, rows: 37, lanes: 16, thetas: [0, 1, 2])
    let layout = scan.layout, part = 1..<3
    let rows = (0..<37 * 35).map { Float($0 + 1) }
    let sinogram = Memory(byteCount: part.count * layout.sinogramBlockByteCount(slots: 3))
    layout.storeProjection(rows, blocks: part, slot: 1, slots: 3, into: sinogram.start)
    for slot in 0..<3 {
      var copy = [Float](repeating: -1, count: rows.count)
      layout.copyProjection(slot: slot, slots: 3, from: sinogram.start, blocks: part, into: &copy)
      let seen = slot == 1 ? Array(rows[(16 * 35)...]) : [Float](repeating: 0, count: 21 * 35)
      #expect(copy[..<(16 * 35)].allSatisfy { $0 == -1 })
      #expect(Array(copy[(16 * 35)...]) == seen)
    }
  }

  @Test func `storing over old memory clears margins and unused lanes`() {
    let layout = SliceLayout(columns: 5, rows: 3)
    let byteCount = layout.sinogramBlockByteCount(slots: 1)
    let clean = Memory(byteCount: byteCount), dirty = Memory(byteCount: byteCount)
    let used = layout.shape.sinogramPitch * layout.shape.pixelByteCount
    dirty.start.initializeMemory(as: UInt8.self, repeating: 0x55, count: used)
    let rows = (0..<15).map(Float.init)
    for memory in [clean, dirty] { layout.storeProjection(rows, blocks: 0..<1, slot: 0, slots: 1, into: memory.start) }
    let difference = (0..<used).first {
      clean.start.load(fromByteOffset: $0, as: UInt8.self) != dirty.start.load(fromByteOffset: $0, as: UInt8.self)
    }
    #expect(difference == nil)
  }
}
