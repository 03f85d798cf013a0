import Host
import KernelTypes
import Rings
import RunModel
import TestSupport
import Testing

/// What a worker's successor believes of its predecessor's volume.
@Suite struct VolumeChecksumTests {
  private let layout = SliceLayout(columns: 6, rows: 5, lanes: 2)
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).volume(0) }

  private func create() throws -> VolumeRegion {
    try VolumeRegion.create(name: name, runID: runID, partition: 0, layout: layout, node: nil)
  }

  private func update(_ generation: UInt64, block: Int = 0, phase: UpdateEvent.Phase = .window) -> UpdateEvent {
    UpdateEvent(
      phase: phase, index: 1, iterations: 1, cursor: 10 + generation, generation: generation, projections: 0..<3,
      rows: block..<block + 1, residualSquared: 1, dataSquared: 2, duration: 3, pixels: .init(nonFinite: block))
  }

  /// Writes the next generation as a worker does.
  private func make(_ generation: UInt64, in volume: VolumeRegion) {
    volume.nextBase.assumingMemoryBound(to: Float.self).update(
      repeating: Float(generation), count: layout.volumeByteCount / 4)
    for piece in volume.pieces { volume.seal(piece: piece) }
    volume.publish(update(generation), isSealed: true)
  }

  private func flip(_ region: SharedRegion, _ bit: Int) {
    let byte = region.base + bit / 8
    byte.storeBytes(of: byte.load(as: UInt8.self) ^ 1 << UInt8(bit % 8), as: UInt8.self)
  }

  @Test func `A volume of zeros is whole, and so is what was sealed`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    #expect(volume.isWhole(volume.newest) && volume.newest.number == 0)
    for generation in 1...4 as ClosedRange<UInt64> {
      make(generation, in: volume)
      #expect(volume.isWhole(volume.newest) && volume.newest.number == generation)
    }
  }

  @Test func `A sealed generation stays until another one is, and is what a successor begins with`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    make(1, in: volume)
    for generation in 2...6 as ClosedRange<UInt64> {
      volume.nextBase.storeBytes(of: generation, as: UInt64.self)
      volume.publish(update(generation))
      #expect(!volume.isSealed(volume.newest))
      let sealed = try #require(volume.sealedGenerations.first { volume.isWhole($0) })
      #expect(sealed.number == 1 && sealed.base.load(as: Float.self) == 1)
    }
    let successor = try VolumeRegion.attach(name: name, runID: runID, partition: 0, layout: layout)
    successor.begin(with: try #require(successor.sealedGenerations.first { successor.isWhole($0) }))
    #expect(successor.newest.number == 1 && successor.newest.cursor == 11 && successor.isWhole(successor.newest))
    make(2, in: successor)
    #expect(successor.sealedGenerations.map(\.number).first == 2 && successor.isWhole(successor.newest))
    // One that is sealed afterwards.
    successor.publish(update(3))
    for piece in successor.pieces { successor.sealNewest(piece: piece) }
    successor.sealNewest()
    #expect(successor.isWhole(successor.newest) && successor.newest.number == 3)
  }

  @Test func `Every bit that says what the newest generation is matters, and so do its voxels`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    for generation in 1...2 as ClosedRange<UInt64> { make(generation, in: volume) }
    let region = try SharedRegion.attach(name: name)
    let slot = Int(region.base.load(fromByteOffset: 128, as: UInt64.self) & 3)
    let pieces = volume.pieces.count, size = layout.volumeByteCount
    let table = 4096 + 3 * size + slot * pieces * 4
    // The word, the record with its checksum, the checksums, and every 97th bit of the voxels.
    var bits = Array(128 * 8..<136 * 8) + Array((256 + 128 * slot) * 8..<(256 + 128 * slot + 124) * 8)
    bits += Array(table * 8..<(table + 4 * pieces) * 8)
    bits += stride(from: (4096 + slot * size) * 8, to: (4096 + (slot + 1) * size) * 8, by: 97)
    for bit in bits {
      flip(region, bit)
      #expect(!volume.isWhole(volume.newest), "bit \(bit)")
      flip(region, bit)
    }
    #expect(volume.isWhole(volume.newest) && volume.newest.number == 2)
  }

  @Test func `What is marked of the final iterations is whole with its blocks or not at all`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    make(1, in: volume)
    #expect(!volume.isFinalMarkSealed && !volume.isFinalBegun)
    for block in 0..<2 {
      for piece in volume.pieces(of: block..<block + 1) { volume.seal(piece: piece) }
      volume.markFinal(blocks: block + 1, by: update(2, block: block, phase: .final))
      #expect(volume.isFinalMarkSealed && volume.pieces(of: 0..<block + 1).allSatisfy(volume.isWhole(finalPiece:)))
    }
    let region = try SharedRegion.attach(name: name)
    let slot = Int(region.base.load(fromByteOffset: 136, as: UInt64.self) & 3)
    let table = 4096 + 3 * layout.volumeByteCount + slot * volume.pieces.count * 4
    for bit in Array(136 * 8..<144 * 8) + Array(640 * 8..<756 * 8) + Array(table * 8..<(table + 8) * 8) {
      flip(region, bit)
      #expect(!volume.isFinalMarkSealed, "bit \(bit)")
      flip(region, bit)
    }
    volume.nextBase.storeBytes(of: 7, as: UInt64.self)
    #expect(!volume.isWhole(finalPiece: 0) && volume.isWhole(finalPiece: 1))
    volume.forgetFinal()
    #expect(!volume.isFinalBegun && volume.isWhole(volume.newest))
  }

  @Test func `Going back gives what was saved, or zeros, and what follows counts on from there`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    for generation in 1...5 as ClosedRange<UInt64> { make(generation, in: volume) }
    volume.goBack { base in
      base.assumingMemoryBound(to: Float.self).update(repeating: 3, count: layout.volumeByteCount / 4)
      return update(3)
    }
    #expect(volume.newest.number == 3 && volume.newest.cursor == 13 && volume.isWhole(volume.newest))
    #expect(volume.newest.base.load(as: Float.self) == 3)
    make(4, in: volume)
    #expect(volume.newest.number == 4 && volume.isWhole(volume.newest))
    volume.goBack { _ in nil }
    #expect(volume.newest.number == 0 && volume.newest.cursor == 0 && volume.isWhole(volume.newest))
    #expect(UnsafeRawBufferPointer(start: volume.newest.base, count: layout.volumeByteCount).allSatisfy { $0 == 0 })
    #expect(try volume.newestUpdate() == nil)
  }

  @Test func `What lies around the slices is zero again, and the slices are as they were`() throws {
    let volume = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    make(1, in: volume)
    var slice = [Float](repeating: 0, count: 36)
    let region = try SharedRegion.attach(name: name), size = layout.volumeByteCount
    (region.base + 4096).assumingMemoryBound(to: Float.self).update(repeating: 7, count: 3 * size / 4)
    volume.clearMargins()
    for slot in 0..<3 {
      let base = UnsafeRawPointer(region.base + 4096 + slot * size)
      let isNewest = slot == Int(region.base.load(fromByteOffset: 128, as: UInt64.self) & 3)
      for row in 0..<layout.rows {
        slice.withUnsafeMutableBufferPointer { layout.copySlice(row: row, from: base, into: $0) }
        #expect(slice.allSatisfy { $0 == 7 })
      }
      let values = UnsafeBufferPointer(start: base.assumingMemoryBound(to: Float.self), count: size / 4)
      // The lanes of the last block that have no row are written by the solver too.
      let lanes = (0..<layout.blockCount).reduce(0) { $0 + layout.lanes(block: $1) }
      #expect(values.count { $0 == 7 } == (isNewest ? size / 4 : 36 * lanes), "slot \(slot)")
    }
  }

  @Test func `A generation that is not whole is not saved`() throws {
    let volume = try create(), folder = try TestFolder()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    make(1, in: volume)
    let checkpoint = VolumeCheckpoint(folder: folder.path, runID: runID, partition: 0, layout: layout)
    let newest = volume.newest
    #expect(try checkpoint.write(newest.base, update: update(1)) { volume.isWhole(newest) })
    let region = try SharedRegion.attach(name: name)
    region.base.storeBytes(of: 1, toByteOffset: 4096 + layout.volumeByteCount, as: UInt8.self)
    #expect(try !checkpoint.write(newest.base, update: update(1)) { volume.isWhole(newest) })
    #expect(try folder.names() == ["volume.0.1.checkpoint"])
  }

  @Test func `Of a denoised volume the slices are believed that are what was taken note of, and the noise`() throws {
    let name = RegionNames(runID: runID).denoisedVolume
    let volume = try DenoisedVolume.create(name: name, runID: runID, slices: 4, columns: 6, node: nil)
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    volume.noise = 0.25
    for slice in 0..<3 {
      volume.slice(slice).update(repeating: Float(slice), count: 36)
      volume.seal(slice..<slice + 1)
      volume.markComplete(slice + 1)
    }
    #expect(volume.isNoiseWhole && volume.wholeSlices == 3)
    let region = try SharedRegion.attach(name: name)
    for (offset, whole) in [(4096 + 144, 1), (4096 + 4 * 144 + 8, 2), (128, 2)] {
      flip(region, 8 * offset)
      #expect(volume.wholeSlices == whole, "\(offset)")
      flip(region, 8 * offset)
    }
    // More slices are said to be complete than there are.
    flip(region, 8 * 128 + 9)
    #expect(volume.complete == 4 && volume.wholeSlices == 3)
    volume.goBack(to: volume.wholeSlices)
    #expect(volume.complete == 3)
    flip(region, 8 * 136 + 1)
    #expect(!volume.isNoiseWhole)
  }
}
