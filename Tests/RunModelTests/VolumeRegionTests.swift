import Dispatch
import Host
import KernelTypes
import Rings
import RunModel
import Synchronization
import Testing

@Suite struct VolumeRegionTests {
  private let layout = SliceLayout(columns: 12, rows: 5)
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).volume(2) }

  private func create() throws -> VolumeRegion {
    try VolumeRegion.create(name: name, runID: runID, partition: 2, layout: layout, node: nil)
  }

  private func attach() throws -> VolumeRegion {
    try VolumeRegion.attach(name: name, runID: runID, partition: 2, layout: layout)
  }

  private func update(_ step: Int) -> UpdateEvent {
    UpdateEvent(
      phase: .window, index: step - 1, iterations: 1, cursor: UInt64(step * 10), generation: UInt64(step),
      projections: 0..<step,
      rows: 0..<5,
      residualSquared: Double(step), dataSquared: 2, duration: 3, pixels: .init())
  }

  @Test func `A new volume is generation 0, all zero, with cursor 0`() throws {
    let volume = try create()
    defer { try? SharedRegion.unlink(name: name) }
    #expect(volume.newest.number == 0 && volume.newest.cursor == 0)
    #expect(try volume.newestUpdate() == nil)
    #expect(UnsafeRawBufferPointer(start: volume.newest.base, count: layout.volumeByteCount).allSatisfy { $0 == 0 })
  }

  @Test func `A snapshot is of one generation, however fast others follow`() throws {
    let volume = try create()
    defer { try? SharedRegion.unlink(name: name) }
    let observer = try attach()
    let layout = self.layout, pixels = layout.columns * layout.columns, generations = 20_000
    #expect(try snapshot(observer) == nil)
    let isDone = Atomic<Bool>(false), taken = Atomic<Int>(0), torn = Atomic<Int>(0), failures = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 2) { side in
      if side == 0 {
        for step in 1...generations {
          let voxels = volume.nextBase.assumingMemoryBound(to: Float.self)
          voxels.update(repeating: Float(step), count: layout.volumeByteCount / 4)
          volume.publish(update(step))
        }
        isDone.store(true, ordering: .releasing)
        return
      }
      while !isDone.load(ordering: .acquiring) {
        do {
          guard let (seen, slice) = try snapshot(observer) else { continue }
          taken.wrappingAdd(1, ordering: .relaxed)
          let isWhole =
            slice.count == pixels && slice.allSatisfy { $0 == Float(seen.generation) }
            && seen == update(Int(seen.generation))
          if !isWhole { torn.wrappingAdd(1, ordering: .relaxed) }
        } catch {
          failures.wrappingAdd(1, ordering: .relaxed)
        }
      }
    }
    #expect(torn.load(ordering: .relaxed) == 0 && failures.load(ordering: .relaxed) == 0)
    let (last, slice) = try #require(try snapshot(observer))
    #expect(
      last == update(generations) && slice.allSatisfy { $0 == Float(generations) },
      "\(taken.load(ordering: .relaxed)) before it")
  }

  private func snapshot(_ volume: VolumeRegion) throws -> (UpdateEvent, [Float])? {
    var slice = [Float](repeating: -1, count: layout.columns * layout.columns)
    let read = slice.withUnsafeMutableBufferPointer { slice in
      volume.withNewest { generation in
        volume.layout.copySlice(row: 2, from: generation.base, into: slice)
        // Only one that did not change meanwhile is looked into.
        return Result { try volume.newestUpdate() }
      }
    }
    return try read?.result.get().map { ($0, slice) }
  }

  @Test func `Publishing flips to what was written, for every process that is attached`() throws {
    let volume = try create()
    defer { try? SharedRegion.unlink(name: name) }
    let other = try attach()
    for step in 1...7 {
      let before = volume.newest.base
      volume.nextBase.storeBytes(of: UInt64(step), as: UInt64.self)
      #expect(volume.newest.base == before)
      let update = update(step)
      volume.publish(update)
      #expect(
        volume.newest.number == UInt64(step) && volume.newest.cursor == UInt64(step * 10)
          && volume.newest.base != before)
      #expect(try other.newestUpdate() == update)
      #expect(other.newest.number == UInt64(step) && other.newest.cursor == UInt64(step * 10))
      #expect(other.newest.base.load(as: UInt64.self) == UInt64(step))
    }
  }

  @Test
  func `A look at the newest generation is repeated when another one came meanwhile, a few times, and writes nothing`()
    throws
  {
    let volume = try create()
    defer { try? SharedRegion.unlink(name: name) }
    let other = try VolumeRegion.attach(name: name, runID: runID, partition: 2, layout: layout, isReadOnly: true)
    var step = 0
    let once = other.withNewest { generation in
      if step == 0 {
        step += 1
        volume.publish(update(step))
      }
      return generation.number
    }
    #expect(once?.generation == 1 && once?.result == 1)
    let never: (generation: UInt64, result: Void)? = other.withNewest { _ in
      step += 1
      volume.publish(update(step))
    }
    #expect(never == nil && (3...10).contains(step))
  }

  @Test func `A volume of another run, partition or shape is refused`() throws {
    _ = try create()
    defer { try? SharedRegion.unlink(name: name) }
    #expect(throws: HostError.self) {
      try VolumeRegion.attach(name: name, runID: .random(), partition: 2, layout: layout)
    }
    #expect(throws: HostError.self) { try VolumeRegion.attach(name: name, runID: runID, partition: 1, layout: layout) }
    #expect(throws: HostError.self) {
      try VolumeRegion.attach(name: name, runID: runID, partition: 2, layout: SliceLayout(columns: 13, rows: 5))
    }
    #expect(throws: HostError.self) {
      try VolumeRegion.attach(name: name, runID: runID, partition: 2, layout: SliceLayout(columns: 12, rows: 6))
    }
  }

  @Test func `Every bit of the header matters`() throws {
    _ = try create()
    defer { try? SharedRegion.unlink(name: name) }
    let region = try SharedRegion.attach(name: name)
    for bit in 0..<52 * 8 {
      let byte = region.base + bit / 8
      byte.storeBytes(of: byte.load(as: UInt8.self) ^ 1 << UInt8(bit % 8), as: UInt8.self)
      #expect(throws: HostError.self, "bit \(bit)") { try attach() }
      byte.storeBytes(of: byte.load(as: UInt8.self) ^ 1 << UInt8(bit % 8), as: UInt8.self)
    }
    #expect(try attach().newest.number == 0)
  }

  @Test func `A damaged newest word still names memory of the region`() throws {
    let volume = try create()
    defer { try? SharedRegion.unlink(name: name) }
    let region = try SharedRegion.attach(name: name)
    for word in [3, 7, UInt64.max, 1 << 63] {
      (region.base + 128).storeBytes(of: word, as: UInt64.self)
      // Reading its last byte would crash outside the region.
      #expect(volume.newest.base.load(fromByteOffset: layout.volumeByteCount - 1, as: UInt8.self) == 0)
    }
  }
}
