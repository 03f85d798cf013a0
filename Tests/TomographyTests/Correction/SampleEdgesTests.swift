import Glibc
import Host
import Testing
import Tomography

@Suite struct SampleEdgesTests {
  private static let columns = 128

  /// Line integrals of an ellipse of half axes `a` and `b` columns, and noise of so much of the largest.
  private func lines(_ a: Double, _ b: Double, noise: Double, offset: Double = 0) -> [Float] {
    var random = SplitMix64(seed: 7)
    return (0..<32).flatMap { angle -> [Float] in
      let theta = Double.pi * Double(angle) / 32
      let reach = a * a * cos(theta) * cos(theta) + b * b * sin(theta) * sin(theta)
      return (0..<Self.columns).map { column in
        let s = Double(column) + 0.5 - 0.5 * Double(Self.columns)
        let chord = s * s < reach ? 2 * a * b * (reach - s * s).squareRoot() / reach : 0
        let sum = (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
        return Float(chord + noise * 2 * min(a, b) * sum + offset)
      }
    }
  }

  @Test(arguments: [0, 0.01, 0.1]) func `A sample with air around it does not leave the detector`(noise: Double) {
    #expect(!SampleEdges.reachBeyond(lines(58, 58, noise: noise), columns: Self.columns))
    #expect(!SampleEdges.reachBeyond(lines(58, 20, noise: noise), columns: Self.columns))
  }

  @Test func `With half acquisition the side beyond the axis alone is looked at`() {
    // Its left half, and air: the sample reaches the left edge.
    let lines = lines(40, 40, noise: 0.01)
    let shifted = (0..<32).flatMap { angle in
      (0..<Self.columns).map { column in
        column + 64 < Self.columns ? lines[angle * Self.columns + column + 64] : lines[angle * Self.columns]
      }
    }
    #expect(SampleEdges.reachBeyond(shifted, columns: Self.columns))
    #expect(SampleEdges.reachBeyond(shifted, columns: Self.columns, sides: .left))
    #expect(!SampleEdges.reachBeyond(shifted, columns: Self.columns, sides: .right))
  }

  @Test(arguments: [0, 0.01, 0.1]) func `One that is wider than the detector does`(noise: Double) {
    #expect(SampleEdges.reachBeyond(lines(80, 80, noise: noise), columns: Self.columns))
  }

  @Test func `One that is wider at some angles only does`() {
    #expect(SampleEdges.reachBeyond(lines(90, 40, noise: 0.01), columns: Self.columns))
  }

  @Test func `A beam that is a little weaker than its flats is air`() {
    #expect(!SampleEdges.reachBeyond(lines(58, 58, noise: 0.01, offset: 2), columns: Self.columns))
  }

  @Test func `Noise alone is no sample, and too few columns tell nothing`() {
    #expect(!SampleEdges.reachBeyond(lines(1e-3, 1e-3, noise: 100), columns: Self.columns))
    #expect(!SampleEdges.reachBeyond([1, 1, 1, 1, 1, 1, 1, 1], columns: 4))
  }
}
