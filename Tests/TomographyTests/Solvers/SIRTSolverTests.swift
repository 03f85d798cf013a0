import Glibc
import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct SIRTSolverTests {
  @Test(arguments: 1...30)
  func `windowed updates equal the formula written out`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...14, using: &random),
      axis = Double(columns) * Double.random(in: 0.3...0.7, using: &random)
    let count = Int.random(in: 3...9, using: &random), level = KernelTable.levels.randomElement(using: &random)!
    let thetas = (0..<count).map { Double($0) * .pi / Double(count) + Double.random(in: 0...0.1, using: &random) }
    let options = SIRTOptions(
      relaxation: .random(in: 0.3...1.7, using: &random), nonNegative: .random(using: &random),
      diskMask: .random(using: &random))
    let scan = Scan(columns: columns, axis: axis, thetas: thetas)
    let data = thetas.map { _ in (0..<columns).map { _ in Float.random(in: -1...4, using: &random) } }
    for slot in thetas.indices { scan.set(projection: data[slot], slot: slot) }
    let solver = SIRTSolver(
      layout: scan.layout, beam: scan.beam, options: options, anglesMax: 4, threads: 1, level: level)
    var dense = DenseSIRT(
      columns: columns, axis: axis, relaxation: Double(options.relaxation), isNonNegative: options.nonNegative,
      isDisk: options.diskMask,
      slice: [Double](repeating: 0, count: columns * columns))
    for window in WindowScheduleTests.windows(count: count, length: 4, step: 1) {
      let residual = solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: count,
        blocks: scan.blocks,
        angles: Array(scan.angles[window]), iterations: 2, executor: SerialExecutor())
      _ = dense.iterate(Array(data[window]), thetas: Array(thetas[window]))
      let expected = dense.iterate(Array(data[window]), thetas: Array(thetas[window]))
      let where_ = "seed \(seed): \(columns) columns, axis \(axis), level \(level), \(options), window \(window)"
      #expect(abs(residual.residualSquared - expected.residual) <= 1e-4 * expected.data, "\(where_)")
      #expect(abs(residual.dataSquared - expected.data) <= 1e-6 * expected.data, "\(where_)")
      #expect(relativeDistance(scan.slice().map(Double.init), dense.slice) < 2e-5, "\(where_)")
    }
  }

  @Test(arguments: [(1, false), (2, true), (3, false), (4, true)])
  func `row and column weights are those of a volume and a sinogram of ones`(seed: UInt64, isDisk: Bool) {
    var random = SplitMix64(seed: seed)
    let columns = [1, 2, 33, 50][Int(seed) - 1], axis = Double(columns) * Double.random(in: 0.3...0.7, using: &random)
    let mask = DiskMask(columns: columns, isDisk: isDisk), beam = ParallelBeam(columns: columns, rotationAxis: axis)
    let reference = JosephReference(columns: columns, axis: axis)
    var weights = [Float](repeating: .nan, count: columns)
    for theta in ProjectorTests.awkwardThetas + (0..<20).map({ _ in Double.random(in: 0...4, using: &random) }) {
      RowSums(beam: beam, mask: mask).inverse(theta: theta, into: &weights)
      for bin in 0..<columns {
        var sum = 0.0
        reference.forEachWeight(theta: theta, bin: bin) { pixel, weight in
          sum += mask.contains(column: pixel % columns, row: pixel / columns) ? weight : 0
        }
        // Where the sum is within rounding of the threshold either answer is right.
        guard abs(sum - sumMin) > 1e-6 else { continue }
        let expected = sum > sumMin ? 1 / sum : 0
        #expect(
          abs(Double(weights[bin]) - expected) <= 1e-5 * expected,
          "seed \(seed): \(columns) columns, axis \(axis), theta \(theta), bin \(bin)")
      }
    }
  }

  @Test func `a uniform square reconstructs to one`() {
    let columns = 64, thetas = (0..<90).map { Double($0) * .pi / 90 }
    let scan = Scan(columns: columns, axis: 31.25, thetas: thetas)
    for (slot, theta) in thetas.enumerated() {
      let chords = (0..<columns).map { bin in
        Float(
          ChordTests.mean(bin: bin, axis: 31.25) {
            ChordTests.boxChord($0, theta: theta, halfWidth: 16, halfHeight: 16, centreX: 0, centreY: 0)
          })
      }
      scan.set(projection: chords, slot: slot)
    }
    let residual = scan.solve(iterations: 200)
    #expect(residual.relative < 0.02)
    let slice = scan.slice()
    var inside = [Float]()
    // Four pixels from the edge, where the ringing of an edge sharper than a bin has died down.
    for row in 20..<44 { inside += slice[(row * columns + 20)..<(row * columns + 44)] }
    #expect(abs(inside.reduce(0, +) / Float(inside.count) - 1) < 0.005)
    #expect(inside.allSatisfy { abs($0 - 1) < 0.02 }, "\(inside.min()!)…\(inside.max()!)")
  }

  @Test(arguments: KernelTable.levels) func `shares weigh rows and columns`(level: Int) {
    var random = SplitMix64(seed: UInt64(level))
    let columns = 21, thetas = [0, 0.1, 0.2, 0.5, 0.9, 1.1, 2.8], shares: [Float] = [0.5, 0.4, 0.8, 1.3, 1.2, 0.9, 1.9]
    let scan = Scan(columns: columns, axis: 9.7, thetas: thetas)
    let data = thetas.map { _ in (0..<columns).map { _ in Float.random(in: -1...4, using: &random) } }
    for slot in thetas.indices { scan.set(projection: data[slot], slot: slot) }
    let solver = SIRTSolver(layout: scan.layout, beam: scan.beam, options: SIRTOptions(), anglesMax: 7, level: level)
    func update(_ shares: [Float]) -> Residual {
      solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: thetas.count,
        blocks: scan.blocks, angles: thetas.indices.map { WindowAngle(theta: thetas[$0], slot: $0, share: shares[$0]) },
        iterations: 1, executor: SerialExecutor())
    }
    var dense = DenseSIRT(columns: columns, axis: 9.7, slice: [Double](repeating: 0, count: columns * columns))
    // The same thetas with other shares are prepared anew.
    for shares in [shares, [Float](repeating: 1, count: 7), shares] {
      let residual = update(shares), expected = dense.iterate(data, thetas: thetas, shares: shares)
      #expect(abs(residual.residualSquared - expected.residual) <= 1e-4 * expected.data)
      #expect(relativeDistance(scan.slice().map(Double.init), dense.slice) < 2e-5)
    }
  }

  @Test func `untouched voxels stay`() {
    // The detector sees only columns 10…19 of a slice whose axis is projected far to the left.
    let scan = Scan(columns: 20, axis: 0, thetas: [0])
    scan.set(slice: (0..<400).map { Float($0) - 200 })
    scan.set(projection: [Float](repeating: 5, count: 20), slot: 0)
    scan.solve(SIRTOptions(nonNegative: true), iterations: 3)
    for (pixel, value) in scan.slice().enumerated() {
      #expect(pixel % 20 < 10 ? value == Float(pixel) - 200 : value >= 0)
    }
  }

  @Test func `the disk mask keeps voxels outside at zero`() {
    let scan = Scan(columns: 21, thetas: (0..<9).map { Double($0) * .pi / 9 })
    for slot in 0..<9 { scan.set(projection: [Float](repeating: 3, count: 21), slot: slot) }
    scan.solve(SIRTOptions(diskMask: true), iterations: 4)
    for (pixel, value) in scan.slice().enumerated() {
      let isInside = hypot(Double(pixel % 21) - 10, Double(pixel / 21) - 10) <= 10.5
      #expect(isInside ? value > 0 : value == 0)
    }
  }

  @Test func `a residual shows data that are not finite`() {
    let scan = Scan(columns: 8, rows: 2, thetas: [0, 1])
    var rows = [Float](repeating: 1, count: 16)
    rows[11] = .nan
    scan.set(projection: rows, slot: 1)
    #expect(!scan.solve(iterations: 1).relative.isFinite)
    #expect(Residual(residualSquared: 0, dataSquared: 0).relative == 0)
    #expect(Residual(residualSquared: 1, dataSquared: 4).relative == 0.5)
  }
}
