import Host
import KernelTypes
import Rings
import TestSupport
import Testing

@testable import RunModel

/// A worker's volume, some of whose generations lie on a coarse grid.
@Suite struct CoarseVolumeTests {
  private let layout = SliceLayout(columns: 13, rows: 9, lanes: 4)
  private let coarse = LiveLayout(layout: SliceLayout(columns: 6, rows: 5, lanes: 4), factor: 2)
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).volume(0) }

  private func update(_ generation: UInt64, isCoarse: Bool) -> UpdateEvent {
    UpdateEvent(
      phase: .window, index: 1, iterations: 1, cursor: 10 + generation, generation: generation, projections: 0..<3,
      spread: 64, isCoarse: isCoarse, rows: 0..<9, residualSquared: 1, dataSquared: 2, duration: 3, pixels: .init())
  }

  private func fill(_ base: UnsafeMutableRawPointer, _ value: Float, _ layout: SliceLayout) {
    base.assumingMemoryBound(to: Float.self).update(repeating: value, count: layout.volumeByteCount / 4)
  }

  @Test func `An update says whether it is of a coarse grid, and one of the final iterations cannot be`() throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: UpdateEvent.byteCount, alignment: 8)
    defer { bytes.deallocate() }
    for isCoarse in [false, true] {
      let update = update(3, isCoarse: isCoarse)
      _ = update.encode(into: bytes)
      #expect(try UpdateEvent(decoding: UnsafeRawBufferPointer(bytes)) == update)
      #expect(UpdateEvent.volume(of: bytes.load(as: UInt32.self)) == update.volume)
    }
    bytes[0] = 2
    #expect(throws: EventError.self) { try UpdateEvent(decoding: UnsafeRawBufferPointer(bytes)) }
    #expect(UpdateEvent.volume(of: bytes.load(as: UInt32.self)) == .finished)
  }

  @Test func `Each generation lies as its update says, is sealed so, and leaves nothing to one of the other kind`()
    throws
  {
    let volume = try VolumeRegion.create(
      name: name, runID: runID, partition: 0, layout: layout, coarse: coarse, node: nil)
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    #expect(throws: HostError.self) {
      try VolumeRegion.attach(name: name, runID: runID, partition: 0, layout: layout)
    }
    // What each slot held before.
    var kinds: [UnsafeMutableRawPointer: Bool] = [:], changes: Set<Bool> = []
    let kindsMade = [false, false, false, true, true, true, true, false, false, false, false, true]
    for (generation, isCoarse) in zip(1..., kindsMade) {
      let own = isCoarse ? coarse.layout : layout
      volume.clearNext(for: own)
      let values = volume.nextBase.assumingMemoryBound(to: Float.self)
      if let before = kinds.updateValue(isCoarse, forKey: volume.nextBase), before != isCoarse {
        changes.insert(isCoarse)
        #expect((0..<own.volumeByteCount / 4).allSatisfy { values[$0] == 0 }, "generation \(generation)")
      }
      fill(volume.nextBase, Float(generation), own)
      for piece in volume.pieces(of: 0..<own.blockCount, in: own) { volume.seal(piece: piece, in: own) }
      volume.publish(update(UInt64(generation), isCoarse: isCoarse), isSealed: true)
      let reader = try VolumeRegion.attach(
        name: name, runID: runID, partition: 0, layout: layout, coarse: coarse, isReadOnly: true)
      let newest = reader.newest
      #expect(reader.isCoarse(newest) == isCoarse && reader.layout(of: newest) == own && reader.isWhole(newest))
      var slice = [Float](repeating: 0, count: 13 * 13)
      slice.withUnsafeMutableBufferPointer { reader.slices(of: newest).copySlice(row: 8, into: $0) }
      #expect(slice.allSatisfy { $0 == Float(generation) / (isCoarse ? 2 : 1) })
    }
    #expect(changes == [false, true])
  }

  @Test func `A successor begins with zeros, whichever kind was being written`() throws {
    let volume = try VolumeRegion.create(
      name: name, runID: runID, partition: 0, layout: layout, coarse: coarse, node: nil)
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    fill(volume.nextBase, 1, coarse.layout)
    volume.publish(update(1, isCoarse: true))
    // Died while it wrote the other kind.
    fill(volume.nextBase, 2, layout)
    let successor = try VolumeRegion.attach(name: name, runID: runID, partition: 0, layout: layout, coarse: coarse)
    successor.clearMargins()
    let next = successor.nextBase.assumingMemoryBound(to: Float.self)
    #expect((0..<layout.volumeByteCount / 4).allSatisfy { next[$0] == 0 })
    #expect(successor.isCoarse(successor.newest) && successor.newest.number == 1)
  }

  @Test func `What is saved is read back as what it was, and not by a run without a coarse grid`() throws {
    let folder = try TestFolder()
    let checkpoint = VolumeCheckpoint(folder: folder.path, runID: runID, partition: 0, layout: layout, coarse: coarse)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: layout.volumeByteCount, alignment: 4096)
    defer { memory.deallocate() }
    for (isCoarse, own) in [(false, layout), (true, coarse.layout)] {
      let update = update(isCoarse ? 4 : 3, isCoarse: isCoarse)
      fill(memory, Float(update.generation), own)
      try checkpoint.write(memory, update: update)
      fill(memory, -1, layout)
      #expect(try checkpoint.readNewest(into: memory) == update)
      let values = memory.assumingMemoryBound(to: Float.self)
      #expect((0..<own.volumeByteCount / 4).allSatisfy { values[$0] == Float(update.generation) })
      var slice = [Float](repeating: 0, count: 13 * 13)
      slice.withUnsafeMutableBufferPointer {
        checkpoint.slices(UnsafeRawPointer(memory), of: update).copySlice(row: 8, into: $0)
      }
      #expect(slice.allSatisfy { $0 == (isCoarse ? 2 : 3) })
    }
    let other = VolumeCheckpoint(folder: folder.path, runID: runID, partition: 0, layout: layout)
    #expect(try other.readNewest(into: memory)?.generation == 3)
  }
}
