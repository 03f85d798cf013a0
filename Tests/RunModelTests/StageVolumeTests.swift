import Dispatch
import Host
import Rings
import RunModel
import Synchronization
import Testing

@Suite struct StageVolumeTests {
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).stageVolume("labels") }

  private func create(_ pixel: PixelType = .uint8) throws -> StageVolume {
    try StageVolume.create(name: name, runID: runID, slices: 5, columns: 12, pixel: pixel, node: nil)
  }

  private func attach(slices: Int = 5, _ pixel: PixelType = .uint8, _ run: RunID? = nil) throws -> StageVolume {
    try StageVolume.attach(
      name: name, runID: run ?? runID, slices: slices, columns: 12, pixel: pixel, isReadOnly: true)
  }

  private func fill(_ volume: StageVolume, _ value: UInt8) {
    for slice in 0..<volume.slices {
      volume.nextSlice(slice).initializeMemory(as: UInt8.self, repeating: value, count: 144 * volume.pixel.byteCount)
    }
  }

  @Test func `Nothing is read before the first generation, and then what was published last`() throws {
    let volume = try create()
    defer { try? SharedRegion.unlink(name: name) }
    let reader = try attach()
    #expect(reader.newest.number == 0 && !reader.newest.isComplete)
    fill(volume, 7)
    #expect(reader.newest.number == 0)
    volume.publish(source: 31, isComplete: false)
    let first = reader.newest
    #expect(first.number == 1 && !first.isComplete && reader.source(of: first) == 31)
    #expect(reader.slice(4, of: first).load(fromByteOffset: 143, as: UInt8.self) == 7)
    // Who dies while writing changes nothing that anybody reads.
    fill(volume, 8)
    #expect(reader.isCurrent(first) && reader.slice(0, of: first).load(as: UInt8.self) == 7)
    volume.publish(source: 40, isComplete: true)
    #expect(!reader.isCurrent(first) && reader.newest.isComplete && reader.newest.number == 2)
    #expect(reader.slice(0, of: reader.newest).load(as: UInt8.self) == 8)
  }

  @Test func `What is read of a current generation is of that alone, however fast others follow`() throws {
    let volume = try create(.float32)
    defer { try? SharedRegion.unlink(name: name) }
    let reader = try attach(.float32), isDone = Atomic<Bool>(false), torn = Atomic<Int>(0), taken = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 2) { side in
      if side == 0 {
        for step in 1...20_000 {
          for slice in 0..<5 {
            volume.nextSlice(slice).initializeMemory(as: Float.self, repeating: Float(step), count: 144)
          }
          volume.publish(source: UInt64(step), isComplete: false)
        }
        isDone.store(true, ordering: .releasing)
      } else {
        repeat {
          let newest = reader.newest
          let voxels = (0..<5).flatMap { slice in
            let pixels = reader.slice(slice, of: newest)
            return [pixels.load(as: Float.self), pixels.load(fromByteOffset: 143 * 4, as: Float.self)]
          }
          guard reader.isCurrent(newest) else { continue }
          taken.add(1, ordering: .relaxed)
          if voxels.contains(where: { $0 != Float(newest.number) }) { torn.add(1, ordering: .relaxed) }
        } while !isDone.load(ordering: .acquiring)
      }
    }
    #expect(torn.load(ordering: .relaxed) == 0 && taken.load(ordering: .relaxed) > 0)
  }

  @Test func `The region of another run, shape or type is refused`() throws {
    _ = try create()
    defer { try? SharedRegion.unlink(name: name) }
    #expect(throws: HostError.self) { try attach(slices: 6) }
    #expect(throws: HostError.self) { try attach(.float32) }
    #expect(throws: HostError.self) { try attach(.uint8, .random()) }
  }
}
