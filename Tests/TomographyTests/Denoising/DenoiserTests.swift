import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct DenoiserTests {
  private static let methods: [Denoising] = [
    .totalVariation(strength: 1), .nonLocalMeans(strength: 1), .median(radius: 1),
  ]

  /// Noise of standard deviation 1 in a stack of slices.
  private static func noise(_ count: Int, seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in Float(random.poisson(mean: 10_000) - 10_000) / 100 }
  }

  @Test func `The noise of a stack is found beside its structure`() {
    let columns = 96, size = columns * columns
    var stack = Self.noise(4 * size, seed: 5)
    for index in stack.indices where index % columns > 40 {
      stack[index] += 30 + (index % columns > 85 ? Float(index / size) : 0)
    }
    #expect(abs(noiseLevel(of: stack, count: 4, columns: columns) - 1) < 0.1)
    #expect(abs(noiseLevel(of: stack, count: 1, columns: columns) - 1) < 0.1)
    #expect(noiseLevel(of: [Float](repeating: 3, count: 2 * size), count: 2, columns: columns) == 0)
  }

  @Test func `Noise that is correlated within a slice is found from the slices beside it`() {
    let columns = 128
    let foam = NoisyFoam(
      columns: columns, rows: 4, projections: 90, photons: 2000, method: .sirt(SIRTOptions()), iterations: 30)
    let quiet = NoisyFoam(
      columns: columns, rows: 4, projections: 90, photons: 60_000, method: .sirt(SIRTOptions()), iterations: 30)
    let squares = zip(foam.reconstruction, quiet.reconstruction).map { Double(($0 - $1) * ($0 - $1)) }
    let spread = (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    #expect(abs(Double(noiseLevel(of: foam.reconstruction, count: 4, columns: columns)) / spread - 1) < 0.35)
  }

  @Test func `Without noise only a median changes anything`() {
    let columns = 40
    let stack = Self.noise(2 * columns * columns, seed: 1)
    for method in Self.methods.dropLast() {
      #expect(Denoiser(method, columns: columns, noise: 0).apply(stack) == stack, "\(method)")
    }
  }

  @Test(arguments: Self.methods)
  func `A noisy foam gains at least 3 dB`(method: Denoising) {
    for (reconstruction, iterations) in [(Method.filteredBackprojection(FBPOptions()), 1), (.sirt(SIRTOptions()), 60)] {
      let foam = NoisyFoam(
        columns: 192, rows: 3, projections: 180, photons: 1000, method: reconstruction, iterations: iterations)
      let noise = noiseLevel(of: foam.reconstruction, count: foam.count, columns: foam.columns)
      let denoised = Denoiser(method, columns: foam.columns, noise: noise).apply(foam.reconstruction)
      for row in 0..<foam.count {
        let (before, after) = (foam.quality(foam.reconstruction, row: row), foam.quality(denoised, row: row))
        #expect(after >= before + 3, "\(method), \(reconstruction): \(before) → \(after) dB")
      }
    }
  }

  @Test(arguments: Self.methods + [.median(radius: 2)])
  func `The bits depend neither on threads nor on what is denoised together`(method: Denoising) {
    let columns = 75, size = columns * columns
    let stack = Self.noise(7 * size, seed: 9)
    let denoiser = Denoiser(method, columns: columns, noise: 1)
    let whole = denoiser.apply(stack)
    #expect(denoiser.apply(stack, executor: ThreadExecutor(width: 3)) == whole)
    for index in 0..<7 {
      let first = max(0, index - method.halo), end = min(7, index + method.halo + 1)
      var alone = [Float](repeating: .nan, count: size)
      stack[first * size..<end * size].withUnsafeBufferPointer {
        denoiser.apply($0, range: index - first..<index - first + 1, into: &alone, executor: SerialExecutor())
      }
      #expect(alone[...] == whole[index * size..<(index + 1) * size], "slice \(index)")
    }
  }
}
