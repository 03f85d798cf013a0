import Host
import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

/// The same bits however the work is cut.
@Suite struct SIRTBitsTests {
  static let columns = 45, rows = 70
  static let thetas = (0..<14).map { Double($0) * .pi / 14 + 0.05 }
  static let data: [[Float]] = {
    var random = SplitMix64(seed: 77)
    return thetas.map { _ in (0..<rows * columns).map { _ in Float.random(in: 0...9, using: &random) } }
  }()

  /// Slices `part` of the rows, reconstructed as a scan of their own.
  static func slices(
    _ part: Range<Int>, lanes: Int? = nil, level: Int? = nil, executor: some Executor = SerialExecutor()
  ) -> (slices: [[Float]], residual: Residual) {
    let scan = Scan(columns: columns, rows: part.count, lanes: lanes, axis: 21.4, thetas: thetas)
    for (slot, rows) in data.enumerated() {
      scan.set(projection: Array(rows[part.lowerBound * columns..<part.upperBound * columns]), slot: slot)
    }
    let residual = scan.solve(
      SIRTOptions(relaxation: 1.3, diskMask: true), iterations: 3, level: level, executor: executor)
    return ((0..<part.count).map { scan.slice($0) }, residual)
  }

  static let whole = slices(0..<rows)

  @Test(arguments: [2, 4, 16, 32, 48, 64])
  func `lanes do not change a bit`(lanes: Int) {
    let other = Self.slices(0..<Self.rows, lanes: lanes)
    #expect(other.slices == Self.whole.slices && other.residual == Self.whole.residual)
  }

  @Test(arguments: [[35, 35], [1, 69], [20, 33, 17]])
  func `workers with their own rows give the same bits`(counts: [Int]) {
    var slices = [[Float]](), first = 0
    for count in counts {
      slices += Self.slices(first..<first + count).slices
      first += count
    }
    #expect(slices == Self.whole.slices)
  }

  @Test(arguments: [1, 2, 3])
  func `threads do not change a bit`(width: Int) {
    for lanes in [2, 4, 64] {
      let other = Self.slices(0..<Self.rows, lanes: lanes, executor: ThreadExecutor(width: width))
      #expect(other.slices == Self.whole.slices && other.residual == Self.whole.residual)
    }
  }

  @Test func `instruction sets with fused multiply-add give the same bits`() {
    for level in KernelTable.levels where level >= 3 {
      for lanes in [2, nil] {
        #expect(Self.slices(0..<Self.rows, lanes: lanes, level: level).slices == Self.whole.slices)
      }
    }
  }

  @Test(arguments: [[0..<5], [0..<2, 2..<5], [0..<1, 1..<3, 3..<5]])
  func `blocks updated by separate calls give the same bits, in place or not`(parts: [Range<Int>]) {
    let scan = Scan(columns: Self.columns, rows: Self.rows, lanes: 16, axis: 21.4, thetas: Self.thetas)
    let layout = scan.layout, slots = Self.thetas.count
    let next = Memory(byteCount: layout.volumeByteCount)
    for blocks in parts {
      let sinogram = Memory(byteCount: blocks.count * layout.sinogramBlockByteCount(slots: slots))
      for (slot, rows) in Self.data.enumerated() {
        layout.storeProjection(rows, blocks: blocks, slot: slots - 1 - slot, slots: slots, into: sinogram.start)
      }
      let solver = SIRTSolver(
        layout: layout, beam: scan.beam, options: SIRTOptions(relaxation: 1.3, diskMask: true), anglesMax: slots,
        blocksMax: blocks.count,
        threads: 1)
      let angles = Self.thetas.indices.map { WindowAngle(theta: Self.thetas[$0], slot: slots - 1 - $0) }
      for (source, target, iterations) in [(scan.volume, next, 1), (next, next, 2)] {
        _ = solver.update(
          volume: source.start, next: target.start, sinogram: sinogram.start, slots: slots, blocks: blocks,
          angles: angles,
          iterations: iterations, executor: SerialExecutor())
      }
    }
    #expect((0..<Self.rows).allSatisfy { scan.slice($0, of: next) == Self.whole.slices[$0] })
    #expect((0..<Self.rows).allSatisfy { scan.slice($0).allSatisfy { $0 == 0 } })
  }

  @Test func `a solver forgets its last window`() {
    let scan = Scan(columns: Self.columns, rows: Self.rows, axis: 21.4, thetas: Self.thetas)
    for (slot, rows) in Self.data.enumerated() { scan.set(projection: rows, slot: slot) }
    let options = SIRTOptions(relaxation: 1.3, diskMask: true), other = Memory(byteCount: scan.layout.volumeByteCount)
    let solver = SIRTSolver(layout: scan.layout, beam: scan.beam, options: options, anglesMax: 14)
    for (angles, volume, iterations) in [(Array(scan.angles[..<5]), other, 1), (scan.angles, scan.volume, 3)] {
      _ = solver.update(
        volume: volume.start, next: volume.start, sinogram: scan.sinogram.start, slots: 14, blocks: scan.blocks,
        angles: angles,
        iterations: iterations, executor: SerialExecutor())
    }
    #expect(scan.slice(69) == Self.whole.slices[69])
  }

  @Test func `the forecast names what is allocated`() {
    let layout = SliceLayout(columns: 100, rows: 100), beam = ParallelBeam(columns: 100, rotationAxis: 50)
    let solver = SIRTSolver(layout: layout, beam: beam, options: SIRTOptions(), anglesMax: 24, blocksMax: 1, threads: 2)
    #expect(
      solver.scratchByteCount == SIRTSolver.scratchByteCount(layout: layout, anglesMax: 24, blocksMax: 1, threads: 2))
    #expect(solver.scratchByteCount > layout.sinogramBlockByteCount(slots: 24))
  }
}
