import Host
import KernelTypes
import Rings
import RunModel
import TestSupport
import Testing

/// A worker's volume whose generations are smaller while the scan runs.
@Suite struct LiveVolumeTests {
  private let layout = SliceLayout(columns: 13, rows: 9, lanes: 4)
  private let live = LiveLayout(layout: SliceLayout(columns: 6, rows: 5, lanes: 4), factor: 2)
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).volume(0) }

  private func create() throws -> VolumeRegion {
    try VolumeRegion.create(name: name, runID: runID, partition: 0, layout: layout, live: live, node: nil)
  }

  private func attach(_ live: LiveLayout?) throws -> VolumeRegion {
    try VolumeRegion.attach(name: name, runID: runID, partition: 0, layout: layout, live: live)
  }

  private func update(_ generation: UInt64, _ phase: UpdateEvent.Phase = .window, block: Int = 0) -> UpdateEvent {
    UpdateEvent(
      phase: phase, index: 1, iterations: 1, cursor: 10 + generation, generation: generation, projections: 0..<3,
      rows: block..<block + 1, residualSquared: 1, dataSquared: 2, duration: 3, pixels: .init(nonFinite: block))
  }

  private func fill(_ base: UnsafeMutableRawPointer, _ value: Float, _ layout: SliceLayout) {
    base.assumingMemoryBound(to: Float.self).update(repeating: value, count: layout.volumeByteCount / 4)
  }

  /// The next generation of windows, sealed as a worker does.
  private func make(_ generation: UInt64, in volume: VolumeRegion) {
    let layout = volume.windowLayout
    fill(volume.nextBase, Float(generation), layout)
    for piece in volume.pieces(of: 0..<layout.blockCount, in: layout) { volume.seal(piece: piece, in: layout) }
    volume.publish(update(generation), isSealed: true)
  }

  @Test func `Generations of windows are of one kind and those of the final iterations of the other`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    #expect(volume.isLive(volume.newest) && volume.isWhole(volume.newest) && volume.newest.number == 0)
    for generation in 1...4 as ClosedRange<UInt64> {
      make(generation, in: volume)
      #expect(volume.isLive(volume.newest) && volume.layout(of: volume.newest) == live.layout)
      #expect(volume.isWhole(volume.newest))
    }
    let successor = try attach(live)
    #expect(successor.isLive(successor.newest) && successor.isWhole(successor.newest))
    for block in 0..<layout.blockCount {
      successor.clearNext(block: block)
      for piece in successor.pieces(of: block..<block + 1) { successor.seal(piece: piece) }
      successor.markFinal(blocks: block + 1, by: update(5, .final, block: block))
      #expect(try attach(live).isFinalMarkSealed)
    }
    successor.publish(update(5, .final, block: 2), isSealed: true)
    #expect(!volume.isLive(volume.newest) && volume.layout(of: volume.newest) == layout)
    #expect(volume.isWhole(volume.newest) && volume.newest.number == 5)
    // The last voxel of either kind matters.
    let last = UnsafeMutableRawPointer(mutating: volume.newest.base) + layout.volumeByteCount - 1
    last.storeBytes(of: 9, as: UInt8.self)
    #expect(!volume.isWhole(volume.newest))
    let before = try #require(volume.sealedGenerations.first { volume.isLive($0) && $0.number == 4 })
    #expect(volume.isWhole(before))
    (UnsafeMutableRawPointer(mutating: before.base) + live.layout.volumeByteCount - 1).storeBytes(of: 9, as: UInt8.self)
    #expect(!volume.isWhole(before))
  }

  @Test func `A successor begins windows with zeros in what they write, and leaves complete blocks`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    make(1, in: volume)
    // A slice of each block; what lies around the slices is zero.
    let seven = [Float](repeating: 7, count: 13 * 13)
    for row in [0, 4, 8] { seven.withUnsafeBufferPointer { layout.setSlice(row: row, in: volume.nextBase, from: $0) } }
    for piece in volume.pieces(of: 0..<1) { volume.seal(piece: piece) }
    volume.markFinal(blocks: 1, by: update(2, .final))
    var successor = try attach(live)
    successor.clearMargins()
    #expect(successor.isFinalMarkSealed && successor.pieces(of: 0..<1).allSatisfy(successor.isWhole(finalPiece:)))
    successor.clearNext(block: 1)
    for row in [0, 4, 8] {
      var slice = [Float](repeating: -1, count: 13 * 13)
      slice.withUnsafeMutableBufferPointer { layout.copySlice(row: row, from: successor.nextBase, into: $0) }
      #expect(slice.allSatisfy { $0 == (row == 4 ? 0 : 7) }, "row \(row)")
    }
    successor.forgetFinal()
    successor = try attach(live)
    successor.clearMargins()
    let next = successor.nextBase.assumingMemoryBound(to: Float.self)
    #expect((0..<live.layout.volumeByteCount / 4).allSatisfy { next[$0] == 0 })
    #expect(successor.isWhole(successor.newest) && successor.newest.number == 1)
  }

  @Test func `What is saved is read back as what it was, of either kind`() throws {
    let folder = try TestFolder()
    let checkpoint = VolumeCheckpoint(
      folder: folder.path, runID: runID, partition: 0, layout: layout, live: live)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: layout.volumeByteCount, alignment: 4096)
    defer { memory.deallocate() }
    for (update, layout) in [(update(3), live.layout), (update(4, .final), layout)] {
      fill(memory, Float(update.generation), layout)
      try checkpoint.write(memory, update: update)
      fill(memory, -1, self.layout)
      #expect(try checkpoint.readNewest(into: memory) == update)
      let values = memory.assumingMemoryBound(to: Float.self)
      #expect((0..<layout.volumeByteCount / 4).allSatisfy { values[$0] == Float(update.generation) })
      if layout != self.layout { #expect(values[layout.volumeByteCount / 4] == -1) }
      var slice = [Float](repeating: 0, count: 13 * 13)
      slice.withUnsafeMutableBufferPointer {
        checkpoint.slices(UnsafeRawPointer(memory), of: update).copySlice(row: 8, into: $0)
      }
      #expect(slice.allSatisfy { $0 == (update.phase == .final ? 4 : 1.5) })
    }
    // Of a run without binned updates.
    let other = VolumeCheckpoint(folder: folder.path, runID: runID, partition: 0, layout: layout)
    #expect(try other.readNewest(into: memory)?.generation == 4)
  }

  @Test func `A region is attached to only with the binning that it was made with`() throws {
    _ = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    #expect(throws: HostError.self) { try attach(nil) }
    let other = LiveLayout(layout: SliceLayout(columns: 3, rows: 3, lanes: 4), factor: 4)
    #expect(throws: HostError.self) { try attach(other) }
    #expect(try attach(live).newest.number == 0)
  }
}
