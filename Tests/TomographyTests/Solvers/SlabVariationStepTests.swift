import Host
import Testing

@testable import KernelTypes
@testable import Tomography

/// The dual steps over x, y and the slices written out in double precision.
private struct DenseSlabVariation {
  let columns: Int
  /// λ of each slice.
  let weights: [Double]
  let epsilons: [Double]
  /// τ
  let steps: [Double]
  private var down: [Double], right: [Double], across: [Double]

  init(columns: Int, weights: [Double], epsilons: [Double], steps: [Double]) {
    (self.columns, self.weights, self.epsilons, self.steps) = (columns, weights, epsilons, steps)
    let zeros = [Double](repeating: 0, count: weights.count * columns * columns)
    (down, right, across) = (zeros, zeros, zeros)
  }

  private var pixels: Int { columns * columns }

  private func primal(_ z: [Double]) -> [Double] {
    z.indices.map { index in
      let (slice, pixel) = (index / pixels, index % pixels), weight = weights[slice]
      let above = pixel >= columns ? down[index - columns] : 0, left = pixel % columns > 0 ? right[index - 1] : 0
      let before = slice > 0 ? weights[slice - 1] * across[index - pixels] : 0
      let within = weight * (down[index] - above + right[index] - left)
      return z[index] + steps[pixel] * (within + weight * across[index] - before)
    }
  }

  /// `z` is slice after slice.
  mutating func iterate(_ z: [Double], innerSteps: Int) -> [Double] {
    for _ in 0..<innerSteps {
      let d = primal(z)
      for index in z.indices {
        let (slice, pixel) = (index / pixels, index % pixels), weight = weights[slice]
        let step = weight > 0 ? 1 / (12 * weight * steps.max()!) : 0, shrink = 1 / (1 + step * epsilons[slice])
        func moved(_ p: Double, _ neighbour: Int, _ isThere: Bool) -> Double {
          (p + step * (isThere ? d[neighbour] - d[index] : 0)) * shrink
        }
        let a = moved(down[index], index + columns, pixel + columns < pixels)
        let b = moved(right[index], index + 1, pixel % columns + 1 < columns)
        let c = moved(across[index], index + pixels, slice + 1 < weights.count)
        let length = max(1, (a * a + b * b + c * c).squareRoot())
        (down[index], right[index], across[index]) = (a / length, b / length, c / length)
      }
    }
    return primal(z)
  }
}

@Suite struct SlabVariationStepTests {
  private static let momentum: Float = 0.7

  /// Slices of a slab after `rounds` warm steps, each from new data, and what is extrapolated from the last.
  private struct Warm {
    let columns: Int, slices: Int, innerSteps: Int, seed: UInt64
    var isCut = false
    var epsilon: Float = 0
    let weights: [Float], taus: [Float]
    static let rounds = 3

    init(columns: Int, slices: Int, innerSteps: Int, seed: UInt64) {
      (self.columns, self.slices, self.innerSteps, self.seed) = (columns, slices, innerSteps, seed)
      var random = SplitMix64(seed: seed)
      weights = (0..<slices).map { _ in max(0, Float.random(in: -0.05...0.3, using: &random)) }
      taus = (0..<columns * columns).map { _ in Float.random(in: 0...3, using: &random) }
    }

    func data(_ round: Int) -> [Float] {
      var random = SplitMix64(seed: 50 * seed + UInt64(round))
      return (0..<slices * columns * columns).map { _ in Float.random(in: -1...2, using: &random) }
    }

    func result(width: Int = 1, level: Int? = nil) -> (x: [Float], extrapolated: [Float]) {
      let scan = Scan(columns: columns, rows: (slices + 15) & ~15, lanes: (slices + 15) & ~15, thetas: [0])
      let layout = scan.layout, offset = layout.pixelOffset(block: 0), pitch = columns + 16
      let (dual, across) = (Memory(byteCount: layout.volumeByteCount), Memory(byteCount: layout.volumeByteCount))
      let previous = Memory(byteCount: layout.volumeByteCount)
      var padded = [Float](repeating: 0, count: pitch * columns)
      for pixel in taus.indices { padded[pixel / columns * pitch + pixel % columns] = taus[pixel] }
      let step = SlabVariationStep(layout: layout, innerSteps: innerSteps, threads: width, level: level)
      step.setFactors(count: slices, stepMax: taus.max()!) { (weights[$0], epsilon) }
      for round in 0..<Self.rounds {
        let data = data(round), pixels = columns * columns
        for slice in 0..<slices { scan.set(slice: Array(data[slice * pixels..<(slice + 1) * pixels]), row: slice) }
        padded.withUnsafeBufferPointer {
          step.run(
            TotalVariationJob(
              shape: layout.shape(block: 0), data: scan.volume.start + offset, dual: dual.start + offset,
              previous: previous.start + offset, steps: $0.baseAddress!, stepsPitch: pitch,
              momentum: SlabVariationStepTests.momentum, isNonNegative: isCut),
            across: across.start + offset, ThreadExecutor(width: width))
        }
      }
      return (
        (0..<slices).flatMap { scan.slice($0, of: previous) }, (0..<slices).flatMap { scan.slice($0) }
      )
    }
  }

  @Test(arguments: 1...12)
  func `steps from the last dual field, with extrapolation, equal the formula written out`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var warm = Warm(
      columns: Int.random(in: 1...24, using: &random), slices: [1, 2, 5, 16, 17, 40][Int(seed) % 6],
      innerSteps: Int.random(in: 1...3, using: &random), seed: seed)
    (warm.isCut, warm.epsilon) = (seed % 2 == 0, seed % 3 == 0 ? 0.2 : 0)
    let result = warm.result(width: 1 + Int(seed) % 3, level: KernelTable.levels.randomElement(using: &random)!)
    var dense = DenseSlabVariation(
      columns: warm.columns, weights: warm.weights.map(Double.init),
      epsilons: warm.weights.map { _ in Double(warm.epsilon) }, steps: warm.taus.map(Double.init))
    var (x, old) = ([Double](), [Double](repeating: 0, count: warm.slices * warm.columns * warm.columns))
    for round in 0..<Warm.rounds {
      if round > 0 { old = x }
      x = dense.iterate(warm.data(round).map(Double.init), innerSteps: warm.innerSteps)
      if warm.isCut { x = x.map { max(0, $0) } }
    }
    let extrapolated = zip(x, old).map { $0 + Double(Self.momentum) * ($0 - $1) }
    let what = "seed \(seed): \(warm.columns) columns, \(warm.slices) slices, \(warm.innerSteps) inner steps"
    #expect(relativeDistance(result.x.map(Double.init), x) < 3e-4, "\(what)")
    #expect(relativeDistance(result.extrapolated.map(Double.init), extrapolated) < 3e-4, "\(what)")
  }

  @Test func `threads and instruction sets do not change a bit`() {
    let warm = Warm(columns: 61, slices: 21, innerSteps: 2, seed: 5), whole = warm.result().extrapolated
    for width in [2, 5] { #expect(warm.result(width: width).extrapolated == whole, "\(width) threads") }
    for level in KernelTable.levels { #expect(warm.result(level: level).extrapolated == whole, "level \(level)") }
  }
}
