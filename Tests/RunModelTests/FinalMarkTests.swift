import Host
import KernelTypes
import Rings
import RunModel
import Testing

/// What a worker's successor learns of a sweep.
@Suite struct FinalMarkTests {
  private let layout = SliceLayout(columns: 12, rows: 10, lanes: 4)
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).volume(0) }

  private func create() throws -> VolumeRegion {
    try VolumeRegion.create(name: name, runID: runID, partition: 0, layout: layout, node: nil)
  }

  private func attach() throws -> VolumeRegion {
    try VolumeRegion.attach(name: name, runID: runID, partition: 0, layout: layout)
  }

  private func update(_ generation: UInt64, block: Int, phase: UpdateEvent.Phase = .final) -> UpdateEvent {
    UpdateEvent(
      phase: phase, index: 1, iterations: 1, cursor: 10 + generation, generation: generation, projections: 0..<3,
      rows: block..<block + 1,
      residualSquared: 1, dataSquared: 2, duration: 3, pixels: .init(nonFinite: block))
  }

  @Test func `Blocks that were swept are found again in the same memory, until the volume is flipped`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    // The slot that would come next is being saved, which a successor does not know.
    _ = volume.pinNewest()
    volume.publish(update(1, block: 0, phase: .window))
    volume.publish(update(2, block: 0, phase: .window))
    for block in 0..<layout.blockCount {
      volume.nextBase.storeBytes(of: UInt64(block) + 7, as: UInt64.self)
      volume.markFinal(blocks: block + 1, by: update(3, block: block))
      let successor = try attach()
      let swept = try #require(try successor.finalProgress())
      #expect(swept.blocks == block + 1 && swept.update == update(3, block: block))
      #expect(successor.nextBase.load(as: UInt64.self) == UInt64(block) + 7)
      #expect(successor.newest.number == 2)
    }
    let successor = try attach()
    successor.publish(update(3, block: layout.blockCount - 1))
    #expect(try successor.finalProgress() == nil && volume.newest.number == 3)
    #expect(volume.newest.base.load(as: UInt64.self) == UInt64(layout.blockCount) + 6)
  }

  @Test func `A mark without meaning is none, whatever its bits`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    let region = try SharedRegion.attach(name: name)
    let blocks = layout.blockCount
    // Another generation; the newest slot; no slot; too many blocks; none.
    for (generation, count, slot) in [(0, 1, 1), (2, 1, 1), (1, 1, 0), (1, 1, 3), (1, blocks + 1, 1), (1, 0, 1)] {
      (region.base + 136).storeBytes(of: UInt64(generation << 18 | count << 2 | slot), as: UInt64.self)
      #expect(try volume.finalProgress() == nil, "\(generation), \(count), \(slot)")
    }
    (region.base + 136).storeBytes(of: UInt64(1 << 18 | 1 << 2 | 2), as: UInt64.self)
    // The update that should be beside it was never written.
    #expect(throws: EventError.self) { try volume.finalProgress() }
  }
}
