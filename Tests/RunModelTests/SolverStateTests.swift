import Host
import Rings
import RunModel
import Testing

@Suite struct SolverStateTests {
  private let runID = RunID.random()
  // More than one piece.
  private let byteCount = (1 << 20) + 100

  private func withRegion(_ body: (SolverStateRegion, String) throws -> Void) throws {
    let name = RegionNames(runID: runID).solverState(1)
    defer { try? SharedRegion.unlink(name: name) }
    let region = try SolverStateRegion.create(
      name: name, runID: runID, partition: 1, stateByteCount: byteCount, node: nil)
    try body(region, name)
  }

  private func place(step: Int, block: Int = 2, generation: UInt64 = 9) -> SolverStateRegion.Place {
    .init(
      generation: generation, block: block, step: step, projections: 60, byteCount: byteCount,
      residualSquared: 0.25 * Double(step), dataSquared: 7)
  }

  private func save(_ value: UInt8, _ place: SolverStateRegion.Place, in region: SolverStateRegion) {
    region.begin().initializeMemory(as: UInt8.self, repeating: value, count: byteCount)
    for piece in region.pieces(of: byteCount) { region.seal(piece: piece, of: byteCount) }
    region.save(place)
  }

  private func states(_ region: SolverStateRegion, of block: Int = 2) -> [SolverStateRegion.State] {
    region.states(of: block, generation: 9, projections: 60)
  }

  @Test func `The two newest states come back, the newest first`() throws {
    try withRegion { region, name in
      #expect(states(region).isEmpty)
      for step in 1...3 { save(UInt8(step), place(step: step), in: region) }
      let other = try SolverStateRegion.attach(name: name, runID: runID, partition: 1, stateByteCount: byteCount)
      let found = states(other)
      #expect(found.map(\.place) == [place(step: 3), place(step: 2)])
      for state in found {
        #expect(other.pieces(of: byteCount).allSatisfy { other.isWhole(piece: $0, of: state) })
        #expect(state.base.load(fromByteOffset: byteCount - 1, as: UInt8.self) == UInt8(state.place.step))
      }
    }
  }

  @Test func `States of another block, generation or scan are none`() throws {
    try withRegion { region, _ in
      save(1, place(step: 1), in: region)
      #expect(states(region, of: 1).isEmpty)
      #expect(region.states(of: 2, generation: 8, projections: 60).isEmpty)
      #expect(region.states(of: 2, generation: 9, projections: 59).isEmpty)
    }
  }

  @Test func `A state that is being written over is none, and the other one stays`() throws {
    try withRegion { region, _ in
      for step in 1...2 { save(UInt8(step), place(step: step), in: region) }
      region.begin().storeBytes(of: 77, as: UInt8.self)
      #expect(states(region).map(\.place.step) == [2])
    }
  }

  @Test func `A successor does not write over the state that it went on with`() throws {
    try withRegion { region, name in
      for step in 1...3 { save(UInt8(step), place(step: step), in: region) }
      let successor = try SolverStateRegion.attach(name: name, runID: runID, partition: 1, stateByteCount: byteCount)
      successor.keep(try #require(states(successor).first))
      _ = successor.begin()
      #expect(states(successor).map(\.place.step) == [3])
    }
  }

  @Test(arguments: [0, 1 << 20, (1 << 20) + 99]) func `A flipped bit anywhere in a state is seen`(offset: Int) throws {
    try withRegion { region, _ in
      save(5, place(step: 1), in: region)
      let state = try #require(states(region).first)
      let byte = UnsafeMutableRawPointer(mutating: state.base) + offset
      byte.storeBytes(of: 4, as: UInt8.self)
      #expect(region.pieces(of: byteCount).filter { !region.isWhole(piece: $0, of: state) } == [offset >> 20])
    }
  }

  @Test(arguments: [128, 136, 140, 144, 152, 160, 168, 176]) func `A flipped bit in a record is seen`(offset: Int)
    throws
  {
    try withRegion { region, name in
      save(5, place(step: 1), in: region)
      let raw = try SharedRegion.attach(name: name)
      raw.base.storeBytes(
        of: raw.base.load(fromByteOffset: offset, as: UInt8.self) ^ 1, toByteOffset: offset, as: UInt8.self)
      #expect(states(region).isEmpty)
    }
  }

  @Test func `The region of another run, worker or scan is refused`() throws {
    try withRegion { _, name in
      for (run, partition, count) in [(RunID.random(), 1, byteCount), (runID, 0, byteCount), (runID, 1, byteCount * 2)]
      {
        #expect(throws: HostError.self) {
          try SolverStateRegion.attach(name: name, runID: run, partition: partition, stateByteCount: count)
        }
      }
    }
  }
}
