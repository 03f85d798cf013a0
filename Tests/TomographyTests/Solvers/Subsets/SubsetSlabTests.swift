import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

extension NoisyFoamScan {
  /// The mean of all rows.
  fileprivate func quality(_ slices: [[Float]]) -> Double {
    slices.indices.reduce(0) { $0 + quality(slices[$1], row: $1) } / Double(slices.count)
  }

  /// The own slices of a slab of some rows.
  fileprivate func solved(
    _ rows: Range<Int>, own: Range<Int>, _ options: SubsetOptions, width: Int = 1,
    interrupting: ((SubsetSolver, SubsetSolver.Slab, Scan) -> SubsetSolver)? = nil
  ) -> [[Float]] {
    let lanes = (rows.count + 15) & ~15, executor = ThreadExecutor(width: width)
    let scan = Scan(columns: columns, rows: lanes, lanes: lanes, thetas: thetas)
    let empty = [Float](repeating: 0, count: (lanes - rows.count) * columns)
    for (slot, projection) in data.enumerated() {
      scan.set(
        projection: Array(projection[rows.lowerBound * columns..<rows.upperBound * columns]) + empty, slot: slot)
    }
    var solver = scan.subsetSolver(options, threads: width)
    let slab = SubsetSolver.Slab(
      count: rows.count, own: own.lowerBound - rows.lowerBound..<own.upperBound - rows.lowerBound)
    solver.begin(
      block: 0, slab: slab, sinogram: scan.sinogram(block: 0), slots: thetas.count,
      noise: (0..<lanes).map { $0 < rows.count ? sigma : 0 }, executor: executor)
    while solver.nextStep < solver.stepCount {
      _ = solver.step(executor: executor)
      if let interrupting { solver = interrupting(solver, slab, scan) }
    }
    let target = Scan(columns: columns, rows: own.count, thetas: [0])
    // The target's blocks are as wide as the slab has slices.
    solver.finish(into: target.volume.start, layout: target.layout, block: 0, executor: executor)
    return own.indices.map { target.slice($0 - own.lowerBound) }
  }
}

@Suite struct SubsetSlabTests {
  private static var options: SubsetOptions {
    var options = SubsetOptions(nonNegative: true)
    options.dimensions = 3
    return options
  }

  /// 24 rows are enough for the overlap, and one slab.
  private static let foam = NoisyFoamScan(columns: 64, rows: 24, angles: 90, noise: 0.03, seed: 7)
  private static let rows = 0..<24
  private static let whole = foam.solved(rows, own: rows, options)

  @Test func `a foam is better where slices help each other`() {
    let alone = Self.foam.quality(Self.foam.solved(Self.rows, own: Self.rows, SubsetOptions(nonNegative: true)))
    let together = Self.foam.quality(Self.whole)
    #expect(together >= alone + 0.3, "\(alone) dB, together \(together)")
  }

  @Test func `rows beyond the overlap change a slab less than its noise by far`() {
    let first = 12, part = Self.foam.solved(first - RowSlabs.overlap..<24, own: first..<24, Self.options)
    func squares(_ a: [Float], _ b: [Float]) -> Double {
      zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    }
    let error = squares(Self.whole[first], Self.foam.truths[first])
    #expect(squares(Self.whole[first], part[0]) < 1e-5 * error)
    // Without an overlap the seam is a third of the error.
    let cut = Self.foam.solved(first..<24, own: first..<24, Self.options)
    #expect(squares(Self.whole[first], cut[0]) > 0.01 * error)
  }

  @Test func `threads do not change a bit, and neither do solvers that go on behind others`() {
    let own = 3..<20
    let reference = Self.foam.solved(Self.rows, own: own, Self.options)
    let other = Self.foam.solved(Self.rows, own: own, Self.options, width: 3) { solver, slab, scan in
      guard solver.nextStep % 9 == 4 else { return solver }
      let state = Memory(byteCount: solver.stateByteCount), next = scan.subsetSolver(Self.options, threads: 2)
      solver.save(to: state.start, executor: SerialExecutor())
      let isRestored = next.restore(
        from: state.start, block: 0, slab: slab, sinogram: scan.sinogram(block: 0), slots: scan.thetas.count,
        executor: SerialExecutor())
      #expect(isRestored)
      return next
    }
    #expect(other == reference && reference == Array(Self.whole[own]))
  }

  @Test(arguments: [1, 16, 63, 64, 65, 128, 129, 200]) func `slabs are all rows, once`(rows: Int) {
    let slabs = RowSlabs(rows: rows), layout = slabs.layout(like: SliceLayout(columns: 9, rows: 1))
    #expect((0..<slabs.count).flatMap { Array(slabs.own($0)) } == Array(0..<rows))
    for slab in 0..<slabs.count {
      let (own, computed) = (slabs.own(slab), slabs.computed(slab))
      #expect(own.count <= slabs.step && computed.count <= layout.rows && layout.blockCount == 1)
      #expect(computed.lowerBound == max(0, own.lowerBound - 8) && computed.upperBound == min(rows, own.upperBound + 8))
    }
  }
}
