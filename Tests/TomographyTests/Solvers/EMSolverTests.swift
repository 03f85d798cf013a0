import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct EMSolverTests {
  static let penalties: [EMOptions.Penalty?] = [nil, .quadratic(strength: 3), .hybrid(strength: 3, delta: 0.05)]

  /// Random windows over random data, some of it negative.
  private struct Problem {
    let columns: Int, axis: Double, thetas: [Double], data: [[Float]], level: Int

    init(seed: UInt64) {
      var random = SplitMix64(seed: seed)
      let columns = Int.random(in: 1...40, using: &random), count = Int.random(in: 5...9, using: &random)
      self.columns = columns
      axis = Double(columns) * Double.random(in: 0.3...0.7, using: &random)
      thetas = (0..<count).map { Double($0) * .pi / Double(count) + Double.random(in: 0...0.1, using: &random) }
      data = thetas.map { _ in (0..<columns).map { _ in Float.random(in: -0.5...4, using: &random) } }
      level = KernelTable.levels.randomElement(using: &random)!
    }

    func scan() -> Scan {
      let scan = Scan(columns: columns, axis: axis, thetas: thetas)
      for slot in thetas.indices { scan.set(projection: data[slot], slot: slot) }
      return scan
    }
  }

  @Test(arguments: 1...20, penalties)
  func `windowed updates equal the formula written out`(seed: UInt64, penalty: EMOptions.Penalty?) {
    let problem = Problem(seed: seed), scan = problem.scan(), count = problem.thetas.count
    let options = EMOptions(penalty: penalty, factorMin: seed % 2 == 0 ? 0.1 : 0, diskMask: seed % 3 == 0)
    let solver = EMSolver(
      layout: scan.layout, beam: scan.beam, options: options, anglesMax: 5, threads: 1, level: problem.level)
    solver.start(
      volume: scan.volume.start, keeping: false, sinogram: scan.sinogram.start, slots: count, blocks: scan.blocks,
      angles: Array(scan.angles[..<5]), executor: SerialExecutor())
    var dense = DenseEM(
      columns: problem.columns, axis: problem.axis, options: options, slice: scan.slice().map(Double.init))
    for first in 0...count - 5 {
      let window = first..<first + 5
      let residual = solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: count,
        blocks: scan.blocks,
        angles: Array(scan.angles[window]), iterations: 2, executor: SerialExecutor())
      _ = dense.iterate(Array(problem.data[window]), thetas: Array(problem.thetas[window]))
      let expected = dense.iterate(Array(problem.data[window]), thetas: Array(problem.thetas[window]))
      let where_ = "seed \(seed): \(problem), \(options), window \(window)"
      #expect(abs(residual.residualSquared - expected.residual) <= 1e-4 * expected.data, "\(where_)")
      #expect(abs(residual.dataSquared - expected.data) <= 1e-6 * expected.data, "\(where_)")
      #expect(relativeDistance(scan.slice().map(Double.init), dense.slice) < 1e-4, "\(where_)")
    }
  }

  @Test(arguments: 1...8)
  func `ordered subsets equal the formula written out`(seed: UInt64) {
    let problem = Problem(seed: 100 + seed), scan = problem.scan(), count = problem.thetas.count
    let groups = orderedSubsets(angleCount: count, subsets: 2)
    let solver = EMSolver(layout: scan.layout, beam: scan.beam, options: EMOptions(), anglesMax: 5, threads: 1)
    solver.start(
      volume: scan.volume.start, keeping: false, sinogram: scan.sinogram.start, slots: count, blocks: scan.blocks,
      angles: groups[0].map { scan.angles[$0] }, executor: SerialExecutor())
    var dense = DenseEM(columns: problem.columns, axis: problem.axis, slice: scan.slice().map(Double.init))
    for group in groups + groups {
      _ = solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: count,
        blocks: scan.blocks,
        angles: group.map { scan.angles[$0] }, iterations: 1, executor: SerialExecutor())
      _ = dense.iterate(group.map { problem.data[$0] }, thetas: group.map { problem.thetas[$0] })
    }
    #expect(relativeDistance(scan.slice().map(Double.init), dense.slice) < 1e-4, "seed \(seed): \(problem)")
  }

  @Test func `a start has the data's sum, and keeps a given volume as far as it is positive`() {
    let scan = Scan(columns: 21, rows: 3, thetas: (0..<8).map { Double($0) * .pi / 8 })
    for slot in 0..<8 { scan.set(projection: (0..<63).map { $0 < 21 ? 2 : $0 < 42 ? -1 : 6 }, slot: slot) }
    let solver = EMSolver(
      layout: scan.layout, beam: scan.beam, options: EMOptions(diskMask: true), anglesMax: 8, threads: 1)
    func start(keeping: Bool) {
      solver.start(
        volume: scan.volume.start, keeping: keeping, sinogram: scan.sinogram.start, slots: 8, blocks: scan.blocks,
        angles: scan.angles,
        executor: SerialExecutor())
    }
    start(keeping: false)
    let mean = scan.slice(0)[10 * 21 + 10]
    #expect(
      scan.slice(0)[0] == 0 && scan.slice(1)[10 * 21 + 10] == 1e-6 && abs(scan.slice(2)[10 * 21 + 10] / mean - 3) < 1e-6
    )
    scan.forward()
    let sum = (0..<8).reduce(Float(0)) { $0 + scan.projection(slot: $1)[..<21].reduce(0, +) }
    #expect(abs(sum - 8 * 21 * 2) < 0.01)
    for slot in 0..<8 { scan.set(projection: [Float](repeating: 2, count: 63), slot: slot) }
    scan.set(slice: (0..<441).map { Float($0) - 220 }, row: 1)
    start(keeping: true)
    let kept = scan.slice(1)
    #expect(kept[0] == 0 && abs(kept[10 * 21 + 9] / mean - 0.01) < 1e-6 && kept[11 * 21 + 10] == 21)
  }

  @Test(arguments: penalties)
  func `data and volumes that are not finite are seen in the residual`(penalty: EMOptions.Penalty?) {
    for bad in [Float.nan, -.nan, .infinity] {
      for isData in [true, false] {
        let scan = Scan(columns: 20, thetas: [0.1, 1.2])
        var line = [Float](repeating: 1, count: 20), slice = [Float](repeating: 1, count: 400)
        if isData { line[7] = bad } else { slice[210] = bad }
        for slot in 0..<2 { scan.set(projection: line, slot: slot) }
        scan.set(slice: slice)
        let solver = EMSolver(
          layout: scan.layout, beam: scan.beam, options: EMOptions(penalty: penalty), anglesMax: 2, threads: 1)
        let residual = solver.update(
          volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: 2,
          blocks: scan.blocks,
          angles: scan.angles, iterations: 1, executor: SerialExecutor())
        #expect(!residual.residualSquared.isFinite, "\(bad) in \(isData ? "data" : "volume")")
      }
    }
  }

  @Test func `a voxel dwindles to zero without becoming denormal, and an update's least factor holds`() {
    for (factorMin, expected) in [(Float(0), 0...0), (0.5, 0.2499...0.2501)] as [(Float, ClosedRange<Float>)] {
      let scan = Scan(columns: 8, thetas: [0, 1.5])
      scan.set(slice: [Float](repeating: 1, count: 64))
      let solver = EMSolver(
        layout: scan.layout, beam: scan.beam, options: EMOptions(factorMin: factorMin), anglesMax: 2, threads: 1)
      _ = solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: 2,
        blocks: scan.blocks,
        angles: scan.angles, iterations: 2, executor: SerialExecutor())
      #expect(scan.slice().allSatisfy { expected.contains($0) })
    }
    let scan = Scan(columns: 8, thetas: [0])
    scan.set(slice: [Float](repeating: 1e-24, count: 64))
    scan.set(projection: [Float](repeating: 1e-26, count: 8), slot: 0)
    let solver = EMSolver(layout: scan.layout, beam: scan.beam, options: EMOptions(), anglesMax: 1, threads: 1)
    _ = solver.update(
      volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: 1, blocks: scan.blocks,
      angles: scan.angles, iterations: 1, executor: SerialExecutor())
    #expect(scan.slice().allSatisfy { $0 == 0 })
  }
}
