import Glibc
import Host
import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

@Suite struct SubsetSolverTests {
  /// The steps written out with a dense matrix in double precision, from the solver's own start.
  private struct DenseSubsets {
    let reference: JosephReference
    let solver: SubsetSolver
    let data: [[Float]], thetas: [Double]
    var x: [Double], y: [Double]
    var penalty: DenseTotalVariation
    let scales: [Double], rowSums: [[Double]]

    init(_ solver: SubsetSolver, start: [Float], axis: Double, data: [[Float]], thetas: [Double]) {
      let columns = solver.layout.columns, reference = JosephReference(columns: columns, axis: axis)
      let inside = DenseSIRT(columns: columns, axis: axis, isDisk: solver.options.diskMask, slice: [])
      (self.reference, self.solver, self.data, self.thetas) = (reference, solver, data, thetas)
      x = start.map(Double.init)
      y = x
      var rowSums = thetas.map { _ in [Double](repeating: 0, count: columns) }
      var largest = [Double](repeating: 0, count: columns * columns)
      for subset in solver.schedule.subsets[..<solver.schedule.count] {
        var sums = [Double](repeating: 0, count: columns * columns)
        for angle in subset {
          for bin in 0..<columns {
            reference.forEachWeight(theta: thetas[angle], bin: bin) { pixel, weight in
              sums[pixel] += weight
              rowSums[angle][bin] += inside.isInside(pixel) ? weight : 0
            }
          }
        }
        for pixel in sums.indices { largest[pixel] = max(largest[pixel], sums[pixel]) }
      }
      let scales = largest.indices.map { inside.isInside($0) && largest[$0] > 1e-3 ? 1 / largest[$0] : 0 }
      (self.scales, self.rowSums) = (scales, rowSums)
      let count = Double(solver.schedule.subsets[0].count)
      penalty = DenseTotalVariation(columns: columns, weight: 0, steps: scales.map { min(stepMax, $0 * count) })
    }

    mutating func take(_ step: SubsetSchedule.Step, weight: Double) {
      var z = y
      for angle in solver.schedule.subsets[step.subset] {
        for bin in 0..<solver.layout.columns where rowSums[angle][bin] > 1e-3 {
          var projected = 0.0
          reference.forEachWeight(theta: thetas[angle], bin: bin) { projected += $1 * y[$0] }
          let value = Double(data[angle][bin]), share = solver.options.weighsCounts ? exp(-max(0, value)) : 1
          let part = Double(step.relaxation * step.share) * share * (value - projected) / rowSums[angle][bin]
          reference.forEachWeight(theta: thetas[angle], bin: bin) { z[$0] += scales[$0] * $1 * part }
        }
      }
      var dense = DenseTotalVariation(columns: penalty.columns, weight: weight, steps: penalty.steps)
      (dense.down, dense.right) = (penalty.down, penalty.right)
      let next = dense.iterate(z, innerSteps: solver.options.innerSteps).map {
        solver.options.nonNegative ? max(0, $0) : $0
      }
      penalty = dense
      y = zip(next, x).map { $0 + Double(step.momentum) * ($0 - $1) }
      x = next
    }
  }

  @Test(arguments: 1...10, [SubsetOptions.Precision.float, .auto])
  func `all steps equal the formula written out`(seed: UInt64, precision: SubsetOptions.Precision) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 6...24, using: &random), count = Int.random(in: 5...14, using: &random)
    let axis = Double(columns) * Double.random(in: 0.4...0.6, using: &random)
    let thetas = (0..<count).map { Double($0) * .pi / Double(count) + Double.random(in: 0...0.1, using: &random) }
    let data = thetas.map { _ in (0..<columns).map { _ in Float.random(in: 0...4, using: &random) } }
    var options = SubsetOptions(
      preset: seed % 2 == 0 ? .fast : .standard, nonNegative: seed % 3 == 0, diskMask: seed % 4 == 1)
    options.sweeps = 3
    options.precision = precision
    options.weighsCounts = seed % 5 < 2
    let scan = Scan(columns: columns, axis: axis, thetas: thetas)
    for slot in thetas.indices { scan.set(projection: data[slot], slot: slot) }
    let solver = scan.subsetSolver(options)
    solver.begin(
      block: 0, sinogram: scan.sinogram(block: 0), slots: count, noise: [0.4], executor: SerialExecutor())
    func slice(_ memory: UnsafeMutableRawPointer) -> [Float] {
      [Float](unsafeUninitializedCapacity: columns * columns) { buffer, filled in
        scan.layout.copySlice(row: 0, from: memory, into: UnsafeMutableBufferPointer(rebasing: buffer[...]))
        filled = columns * columns
      }
    }
    var dense = DenseSubsets(
      solver, start: slice(solver.memory.previous), axis: axis, data: data, thetas: thetas)
    for step in solver.schedule.steps {
      dense.take(step, weight: Double(solver.state.lanes[0].weight * step.relaxation))
      _ = solver.step(executor: SerialExecutor())
      #expect(
        relativeDistance(slice(solver.memory.previous).map(Double.init), dense.x) < 1e-3,
        "seed \(seed): \(columns) columns, \(count) angles, \(options), step \(solver.nextStep)")
    }
  }

  @Test func `the start is Hann's backprojection, cut at zero`() {
    let foam = NoisyFoamScan(columns: 48, angles: 30, noise: 0.01, seed: 3), scan = foam.scan(), other = foam.scan()
    let solver = scan.subsetSolver(SubsetOptions())
    solver.begin(block: 0, sinogram: scan.sinogram(block: 0), slots: 30, noise: nil, executor: SerialExecutor())
    other.solve(.filteredBackprojection(FBPOptions(filter: .hann)), iterations: 1)
    let expected = other.slice().map { Double(max(0, $0)) }
    var start = [Float](repeating: 0, count: 48 * 48)
    start.withUnsafeMutableBufferPointer { scan.layout.copySlice(row: 0, from: solver.memory.iterate, into: $0) }
    #expect(relativeDistance(start.map(Double.init), expected) < 1e-5)
  }

  @Test func `angles are interleaved by theta, whatever their order`() {
    let thetas = (0..<40).map { Double($0) * .pi / 40 }
    let shuffled = (0..<40).map { index -> Double in
      let turned = index % 2 == 0 ? Double.pi : 0
      return thetas[index * 17 % 40] + turned
    }
    var options = SubsetOptions()
    options.subsets = 4
    func subsets(_ thetas: [Double]) -> [[Double]] {
      SubsetSchedule(thetas: thetas, columns: 64, options: options).subsets.map { subset in
        subset.map { place -> Double in
          let folded = thetas[place].truncatingRemainder(dividingBy: Double.pi)
          return (folded * 40 / Double.pi).rounded()
        }
      }
    }
    #expect(subsets(thetas) == subsets(shuffled))
    #expect(bitReversed(6) == [0, 4, 2, 1, 5, 3] && bitReversed(1) == [0])
  }

  @Test func `subsets, sweeps and relaxation are those of the rule`() {
    let options = SubsetOptions()
    #expect([45, 90, 180, 360, 720].map { options.subsetCount(angles: $0) } == [6, 8, 10, 13, 16])
    #expect([45, 90, 180, 360, 720].map { options.sweepCount(angles: $0, columns: 256) } == [12, 9, 7, 6, 5])
    #expect(options.sweepCount(angles: 180, columns: 1024) == 9 && options.subsetCount(angles: 1) == 1)
    #expect(SubsetOptions(preset: .fast).sweepCount(angles: 180, columns: 256) == 4)
    let thetas = (0..<180).map { Double($0) * .pi / 180 }
    let fast = SubsetSchedule(thetas: thetas, columns: 256, options: SubsetOptions(preset: .fast))
    #expect(fast.steps.count == 60 && fast.steps.filter(\.endsSweep).map(\.relaxation) == [1, 1, 1, 0.5])
    #expect(fast.steps[0].share == 2 && fast.steps[59].share == 1)
    #expect(fast.steps.map(\.momentum).max() == 0.9 && fast.steps[0].momentum == 0)
    for steps in [fast.steps.prefix(20), fast.steps.suffix(10)] {
      #expect(steps.flatMap { fast.subsets[$0.subset] }.sorted() == Array(0..<180))
    }
  }

  @Test func `subsets of few angles have less momentum, and the rule makes none of a single one`() {
    #expect([1, 2, 3, 4, 5, 6, 9].map { SubsetOptions().subsetCount(angles: $0) } == [1, 1, 1, 2, 2, 3, 4])
    func momentum(angles: Int, subsets: Int, most: Float = 0.9) -> Float {
      var options = SubsetOptions()
      (options.subsets, options.sweeps, options.momentumMax) = (subsets, 40, most)
      let thetas = (0..<angles).map { Double($0) * .pi / Double(angles) }
      return SubsetSchedule(thetas: thetas, columns: 32, options: options).steps.map(\.momentum).max()!
    }
    #expect([24, 12, 8, 6, 5].map { momentum(angles: 24, subsets: $0) } == [0.5, 0.7, 0.8, 0.9, 0.9])
    #expect(momentum(angles: 3, subsets: 1) == 0.9 && momentum(angles: 7, subsets: 4) == 0.5)
    #expect(momentum(angles: 24, subsets: 24, most: 0.3) == 0.3)
  }

  @Test(arguments: [(3, nil), (4, nil), (7, nil), (16, 16), (32, 16), (48, 16)] as [(Int, Int?)])
  func `few angles in a subset do not diverge`(angles: Int, subsets: Int?) {
    let foam = NoisyFoamScan(columns: 32, angles: angles, noise: 0.01, seed: 5)
    for preset in [SubsetOptions.Preset.standard, .fast] {
      var options = SubsetOptions(preset: preset)
      options.subsets = subsets
      options.sweeps = subsets.map { _ in 30 }
      let report = foam.scan().solve(options, noise: [foam.sigma]).reports[0]
      #expect(report.residualOverNoise! < 2, "\(angles) angles, \(preset)")
    }
  }

  @Test func `the weight of a scale-free slice is the rule's`() {
    let rule = WeightRule(angles: 720, columns: 128)
    let weight = rule.weight(scale: 1, noise: 1.28, gradient: 0.05)
    #expect(abs(weight - 0.000466) < 2e-5, "\(weight)")
    #expect(abs(rule.weight(scale: 1000, noise: 1280, gradient: 50) / weight / 1000 - 1) < 1e-5)
    #expect(abs(rule.weight(scale: 2, noise: 0, gradient: 0) / 5e-4 - 1) < 1e-5)
    #expect(rule.weight(scale: 0, noise: 1, gradient: 1) == 0)
  }

  @Test func `a fixed weight is limited by the rule`() {
    let foam = NoisyFoamScan(columns: 32, angles: 20, noise: 0.01, seed: 3)
    func weight(_ weight: SubsetOptions.Weight) -> Float {
      var options = SubsetOptions()
      options.weight = weight
      options.sweeps = 3
      return foam.scan().solve(options, noise: [foam.sigma]).reports[0].weight
    }
    #expect(weight(.fixed(1e-5)) == 1e-5)
    let ruled = weight(.rule(factor: 8))
    #expect(weight(.rule(factor: 100)) == ruled && abs(weight(.fixed(1e9)) / ruled - 1) < 0.2)
  }

  @Test func `detail takes 0.4 of the rule's weight, and less of many columns`() {
    #expect(SubsetOptions.detailFactor(columns: 32) == 0.4 && SubsetOptions.detailFactor(columns: 180) == 0.4)
    #expect(abs(SubsetOptions.detailFactor(columns: 720) - 0.2) < 1e-6)
    let foam = NoisyFoamScan(columns: 200, angles: 20, noise: 0.01, seed: 3)
    func weight(_ weight: SubsetOptions.Weight) -> Float {
      var options = SubsetOptions(preset: .detail)
      #expect(options.weight == .detail)
      (options.weight, options.sweeps) = (weight, 1)
      return foam.scan().solve(options, noise: [foam.sigma]).reports[0].weight
    }
    #expect(abs(weight(.detail) / weight(.rule(factor: 1)) - SubsetOptions.detailFactor(columns: 200)) < 1e-5)
  }

  @Test func `data that are not finite are seen in the residual`() {
    for bad in [Float.nan, .infinity] {
      let scan = Scan(columns: 20, thetas: [0.1, 1.2])
      var line = [Float](repeating: 1, count: 20)
      line[7] = bad
      for slot in 0..<2 { scan.set(projection: line, slot: slot) }
      let solver = scan.subsetSolver(SubsetOptions(nonNegative: true))
      solver.begin(block: 0, sinogram: scan.sinogram(block: 0), slots: 2, noise: nil, executor: SerialExecutor())
      let residual = solver.step(executor: SerialExecutor())
      #expect(!residual.residualSquared.isFinite)
    }
  }

  @Test func `a weight is the photons that came through`() {
    for value in stride(from: -1 as Float, to: 70, by: 0.0173) {
      let expected = exp(-Double(max(0, min(value, 60))))
      #expect(abs(Double(transmission(value)) - expected) < 4e-7 * expected, "\(value)")
    }
  }

  @Test func `the rule's weight shrinks with the mean of the rays' weights`() {
    let scan = Scan(columns: 8, axis: 4, thetas: [0, 1, 2])
    for slot in 0..<3 { scan.set(projection: [0, 0, 1, 2, 2, 1, 0, 0], slot: slot) }
    func weight(_ weighs: Bool) -> Float {
      var options = SubsetOptions()
      options.weighsCounts = weighs
      let solver = scan.subsetSolver(options)
      solver.begin(block: 0, sinogram: scan.sinogram(block: 0), slots: 3, noise: [0.01], executor: SerialExecutor())
      return solver.report[0].weight
    }
    let mean = (4 + 2 * exp(-1 as Float) + 2 * exp(-2 as Float)) / 8
    #expect(abs(weight(true) / weight(false) - mean) < 1e-5)
  }

  @Test(arguments: 1...20)
  func `the value of a rank is that of the sorted row`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let count = Int.random(in: 1...300, using: &random)
    var values = (0..<count).map { _ in Float(Int.random(in: 0...Int(seed) * 5, using: &random)) }
    let sorted = values.sorted(), rank = Int.random(in: 0..<count, using: &random)
    #expect(values.withUnsafeMutableBufferPointer { select(rank, of: $0.baseAddress!, count: count) } == sorted[rank])
  }
}

/// The largest τ: where few rays meet a voxel, C is larger.
private let stepMax = 1.0
