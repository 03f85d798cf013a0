import Host
import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

/// The same bits however the work is cut, for every method.
@Suite struct SolverBitsTests {
  static let columns = 75, rows = 37
  static let thetas = (0..<13).map { Double($0) * .pi / 13 + 0.05 }
  static let data: [[Float]] = {
    var random = SplitMix64(seed: 78)
    return thetas.map { _ in (0..<rows * columns).map { _ in Float.random(in: -1...9, using: &random) } }
  }()
  static let methods: [Method] = [
    .expectationMaximisation(EMOptions()),
    .expectationMaximisation(EMOptions(penalty: .quadratic(strength: 0.7), factorMin: 0.1)),
    .expectationMaximisation(EMOptions(penalty: .hybrid(strength: 0.7, delta: 0.2), diskMask: true)),
    .filteredBackprojection(FBPOptions(filter: .hann, diskMask: true)), .conjugateGradients(CGLSOptions()),
    .conjugateGradients(CGLSOptions(diskMask: true)),
  ]

  /// Slices `part` of the rows, reconstructed as a scan of their own, in place or not.
  static func slices(
    _ part: Range<Int>, _ method: Method, lanes: Int? = nil, level: Int? = nil, inPlace: Bool = true, width: Int = 1
  ) -> (slices: [[Float]], residual: Residual) {
    let scan = Scan(columns: columns, rows: part.count, lanes: lanes, axis: 36.4, thetas: thetas)
    for (slot, rows) in data.enumerated() {
      scan.set(projection: Array(rows[part.lowerBound * columns..<part.upperBound * columns]), slot: slot)
    }
    let next = inPlace ? scan.volume : Memory(byteCount: scan.layout.volumeByteCount)
    let residual = scan.solve(method, iterations: 3, next: next, level: level, executor: ThreadExecutor(width: width))
    return ((0..<part.count).map { scan.slice($0, of: next) }, residual)
  }

  static let whole = methods.map { slices(0..<rows, $0) }

  @Test(arguments: methods.indices, [2, 4, 16, 32, 48, 64])
  func `lanes do not change a bit`(method: Int, lanes: Int) {
    let other = Self.slices(0..<Self.rows, Self.methods[method], lanes: lanes)
    #expect(other.slices == Self.whole[method].slices && other.residual == Self.whole[method].residual)
  }

  @Test(arguments: methods.indices, [[19, 18], [1, 36]])
  func `workers with their own rows give the same bits`(method: Int, counts: [Int]) {
    var slices = [[Float]](), first = 0
    for count in counts {
      slices += Self.slices(first..<first + count, Self.methods[method]).slices
      first += count
    }
    #expect(slices == Self.whole[method].slices)
  }

  @Test(arguments: [Method.sirt(SIRTOptions())] + methods, [34, 36])
  func `a solver that takes one block after the other leaves nothing of a wide one in a narrow one`(
    method: Method, rowCount: Int
  ) {
    // Blocks of 16, 16 and 2 or 4 lanes.
    let rows = 0..<rowCount
    func scan() -> Scan {
      let scan = Scan(columns: Self.columns, rows: rows.count, lanes: 16, axis: 36.4, thetas: Self.thetas)
      for (slot, data) in Self.data.enumerated() {
        scan.set(projection: Array(data[..<(rows.count * Self.columns)]), slot: slot)
      }
      return scan
    }
    let whole = scan(), swept = scan(), layout = swept.layout, slots = Self.thetas.count
    whole.solve(method, iterations: 3)
    let solver = method.solver(layout: layout, beam: swept.beam, anglesMax: slots, blocksMax: 1, threads: 1)
    for block in 0..<layout.blockCount {
      let blocks = block..<block + 1
      let sinogram = swept.sinogram.start + block * layout.sinogramBlockByteCount(slots: slots)
      solver.start(
        volume: swept.volume.start, keeping: false, sinogram: sinogram, slots: slots, blocks: blocks,
        angles: swept.angles,
        executor: SerialExecutor())
      _ = solver.update(
        volume: swept.volume.start, next: swept.volume.start, sinogram: sinogram, slots: slots, blocks: blocks,
        angles: swept.angles,
        iterations: 3, executor: SerialExecutor())
    }
    for row in rows { #expect(swept.slice(row) == whole.slice(row), "row \(row)") }
  }

  @Test(arguments: methods.indices, [2, 3])
  func `threads do not change a bit, in place or not`(method: Int, width: Int) {
    for lanes in [2, 4, 64] {
      let other = Self.slices(0..<Self.rows, Self.methods[method], lanes: lanes, inPlace: lanes < 64, width: width)
      #expect(other.slices == Self.whole[method].slices && other.residual == Self.whole[method].residual)
    }
  }

  @Test(arguments: methods.indices)
  func `instruction sets with fused multiply-add give the same bits`(method: Int) {
    for level in KernelTable.levels where level >= 3 {
      for lanes in [2, nil] {
        #expect(
          Self.slices(0..<Self.rows, Self.methods[method], lanes: lanes, level: level).slices
            == Self.whole[method].slices)
      }
    }
  }

  @Test(arguments: methods.indices)
  func `the forecast names what is allocated`(method: Int) {
    let layout = SliceLayout(columns: 100, rows: 100), beam = ParallelBeam(columns: 100, rotationAxis: 50),
      method = Self.methods[method]
    let solver = method.solver(layout: layout, beam: beam, anglesMax: 24, blocksMax: 1, threads: 2)
    #expect(solver.scratchByteCount == method.scratchByteCount(layout: layout, anglesMax: 24, blocksMax: 1, threads: 2))
    #expect(solver.scratchByteCount > layout.sinogramBlockByteCount(slots: 24))
  }
}
