import Host
import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

/// The dual steps written out in double precision.
struct DenseTotalVariation {
  let columns: Int
  let weight: Double
  var epsilon = 0.0
  /// τ
  var steps: [Double]
  var down: [Double], right: [Double]

  init(columns: Int, weight: Double, steps: [Double]? = nil) {
    self.columns = columns
    self.weight = weight
    let zeros = [Double](repeating: 0, count: columns * columns)
    self.steps = steps ?? zeros.map { _ in 1 }
    (down, right) = (zeros, zeros)
  }

  private func primal(_ z: [Double]) -> [Double] {
    z.indices.map { pixel in
      let above = pixel >= columns ? down[pixel - columns] : 0, left = pixel % columns > 0 ? right[pixel - 1] : 0
      return z[pixel] + steps[pixel] * weight * (down[pixel] - above + right[pixel] - left)
    }
  }

  mutating func iterate(_ z: [Double], innerSteps: Int) -> [Double] {
    let step = weight > 0 ? 1 / (8 * weight * steps.max()!) : 0
    for _ in 0..<innerSteps {
      let d = primal(z)
      for pixel in z.indices {
        let below = pixel + columns < z.count ? d[pixel + columns] - d[pixel] : 0
        let beside = pixel % columns + 1 < columns ? d[pixel + 1] - d[pixel] : 0
        let a = (down[pixel] + step * below) / (1 + step * epsilon)
        let b = (right[pixel] + step * beside) / (1 + step * epsilon), length = (a * a + b * b).squareRoot()
        down[pixel] = a / max(1, length)
        right[pixel] = b / max(1, length)
      }
    }
    return primal(z)
  }
}

@Suite struct TotalVariationStepTests {
  private static let columns = 83, rows = 37

  private static func slices(seed: UInt64, columns: Int, rows: Int) -> [[Float]] {
    var random = SplitMix64(seed: seed)
    return (0..<rows).map { _ in (0..<columns * columns).map { _ in Float.random(in: -1...2, using: &random) } }
  }

  /// Slices of a volume after cold steps, as a scan of their own.
  private static func denoised(
    _ slices: [[Float]], columns: Int, weights: [Float], innerSteps: Int = 2, lanes: Int? = nil, level: Int? = nil,
    nonNegative: Bool = true, width: Int = 1
  ) -> [[Float]] {
    let scan = Scan(columns: columns, rows: slices.count, lanes: lanes, thetas: [0])
    for (row, slice) in slices.enumerated() { scan.set(slice: slice, row: row) }
    let step = TotalVariationStep(layout: scan.layout, innerSteps: innerSteps, threads: width, level: level)
    step.denoise(
      scan.volume.start, blocks: scan.blocks, weights: weights, nonNegative: nonNegative,
      executor: ThreadExecutor(width: width))
    return slices.indices.map { scan.slice($0) }
  }

  @Test(arguments: 1...24)
  func `steps from zero equal the formula written out`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...40, using: &random), rows = Int.random(in: 1...20, using: &random)
    let innerSteps = Int.random(in: 1...4, using: &random), isCut = seed % 2 == 0
    let level = KernelTable.levels.randomElement(using: &random)!
    let slices = Self.slices(seed: 100 + seed, columns: columns, rows: rows)
    let weights = slices.map { _ in Float.random(in: 0...0.5, using: &random) }
    let results = Self.denoised(
      slices, columns: columns, weights: weights, innerSteps: innerSteps, level: level, nonNegative: isCut, width: 2)
    for row in 0..<rows {
      var dense = DenseTotalVariation(columns: columns, weight: Double(weights[row]))
      let expected = dense.iterate(slices[row].map(Double.init), innerSteps: innerSteps).map { isCut ? max(0, $0) : $0 }
      #expect(
        relativeDistance(results[row].map(Double.init), expected) < 1e-4,
        "seed \(seed): \(columns) columns, row \(row) of \(rows), \(innerSteps) inner steps, level \(level)")
    }
  }

  @Test(arguments: 1...12)
  func `steps from the last dual field, with extrapolation, equal the formula written out`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...40, using: &random), rows = [1, 3, 16, 40][Int(seed) % 4]
    let innerSteps = Int.random(in: 1...3, using: &random), epsilon: Float = seed % 3 == 0 ? 0.2 : 0
    let taus = (0..<columns * columns).map { _ in Float.random(in: 0...3, using: &random) }
    let weight: Float = 0.1, momentum: Float = 0.7, pitch = columns + 16, last = rows - 1
    let scan = Scan(columns: columns, rows: rows, thetas: [0]), layout = scan.layout
    let dual = Memory(byteCount: layout.volumeByteCount), previous = Memory(byteCount: layout.volumeByteCount)
    var padded = [Float](repeating: 0, count: pitch * columns)
    for pixel in taus.indices { padded[pixel / columns * pitch + pixel % columns] = taus[pixel] }
    var dense = DenseTotalVariation(columns: columns, weight: Double(weight), steps: taus.map(Double.init))
    dense.epsilon = Double(epsilon)
    var old = [Double](repeating: 0, count: columns * columns)
    let step = TotalVariationStep(layout: layout, innerSteps: innerSteps, threads: 2)
    step.setFactors(lanes: layout.lanes(block: 0), stepMax: taus.max()!) { _ in (weight, epsilon) }
    for round in 0..<3 {
      let slice = Self.slices(seed: 50 * seed + UInt64(round), columns: columns, rows: 1)[0]
      scan.set(slice: slice, row: last)
      let offset = layout.pixelOffset(block: 0)
      padded.withUnsafeBufferPointer {
        step.run(
          TotalVariationJob(
            shape: layout.shape(block: 0), data: scan.volume.start + offset, dual: dual.start + offset,
            previous: previous.start + offset, steps: $0.baseAddress!, stepsPitch: pitch, momentum: momentum,
            isNonNegative: false), ThreadExecutor(width: 2))
      }
      let x = dense.iterate(slice.map(Double.init), innerSteps: innerSteps)
      let extrapolated = zip(x, old).map { $0 + Double(momentum) * ($0 - $1) }
      old = x
      let where_ = "seed \(seed), round \(round): \(columns) columns, \(rows) rows, \(innerSteps) inner steps"
      #expect(relativeDistance(scan.slice(last, of: previous).map(Double.init), x) < 2e-4, "\(where_)")
      #expect(relativeDistance(scan.slice(last).map(Double.init), extrapolated) < 2e-4, "\(where_)")
    }
  }

  private static let whole = denoised(
    slices(seed: 5, columns: columns, rows: rows), columns: columns, weights: (0..<rows).map { 0.01 * Float($0) })

  @Test(arguments: [2, 4, 16, 32, 64], [1, 2, 5])
  func `lanes and threads do not change a bit`(lanes: Int, width: Int) {
    let other = Self.denoised(
      Self.slices(seed: 5, columns: Self.columns, rows: Self.rows), columns: Self.columns,
      weights: (0..<Self.rows).map { 0.01 * Float($0) }, lanes: lanes, width: width)
    #expect(other == Self.whole)
  }

  /// Pixels of four lanes are passed as one tile of columns, wider ones in two.
  @Test(arguments: [1, 2, 5]) func `tiles of columns do not change a bit`(innerSteps: Int) {
    let columns = 270, slices = Self.slices(seed: 6, columns: columns, rows: 5)
    func denoised(_ rows: Range<Int>, lanes: Int, width: Int) -> [[Float]] {
      Self.denoised(
        Array(slices[rows]), columns: columns, weights: rows.map { 0.02 * Float($0) }, innerSteps: innerSteps,
        lanes: lanes, width: width)
    }
    #expect(denoised(0..<5, lanes: 16, width: 2)[3..<5] == denoised(3..<5, lanes: 4, width: 1)[...])
  }

  @Test func `every instruction set gives the same bits`() {
    for level in KernelTable.levels {
      let other = Self.denoised(
        Self.slices(seed: 5, columns: Self.columns, rows: Self.rows), columns: Self.columns,
        weights: (0..<Self.rows).map { 0.01 * Float($0) }, level: level)
      #expect(other == Self.whole, "level \(level)")
    }
  }

  @Test(arguments: [(61, 3), (270, 5)])
  func `several steps in a pass come to what as many passes do, which round between them`(columns: Int, rows: Int) {
    let slices = Self.slices(seed: 9, columns: columns, rows: rows)
    func result(innerSteps: Int, passes: Int) -> [Float] {
      let scan = Scan(columns: columns, rows: rows, thetas: [0]), layout = scan.layout
      let dual = Memory(byteCount: layout.volumeByteCount), offset = layout.pixelOffset(block: 0)
      let step = TotalVariationStep(layout: layout, innerSteps: innerSteps, threads: 1)
      step.setFactors(lanes: layout.lanes(block: 0), stepMax: 1) { _ in (0.2, 0) }
      for _ in 0..<passes {
        for (row, slice) in slices.enumerated() { scan.set(slice: slice, row: row) }
        [Float](repeating: 1, count: columns + 16).withUnsafeBufferPointer {
          step.run(
            TotalVariationJob(
              shape: layout.shape(block: 0), data: scan.volume.start + offset, dual: dual.start + offset, previous: nil,
              steps: $0.baseAddress!, stepsPitch: 0, momentum: 0, isNonNegative: false), SerialExecutor())
        }
      }
      return slices.indices.flatMap { scan.slice($0) }
    }
    let one = result(innerSteps: 4, passes: 1).map(Double.init)
    for innerSteps in [1, 2] {
      let several = result(innerSteps: innerSteps, passes: 4 / innerSteps).map(Double.init)
      #expect(relativeDistance(several, one) < 1e-5, "\(innerSteps) inner steps a pass")
    }
  }

  @Test func `a volume that is not finite stays so where it was, and goes as far in any lanes`() {
    for bad in [Float.nan, .infinity] {
      var slice = [Float](repeating: 1, count: 400)
      slice[210] = bad
      func finite(_ lanes: Int) -> [Bool] {
        Self.denoised([slice], columns: 20, weights: [0.1], innerSteps: 3, lanes: lanes, width: 2)[0].map(\.isFinite)
      }
      let narrow = finite(2)
      #expect(!narrow[210] && narrow[0] && narrow == finite(16))
    }
  }
}
