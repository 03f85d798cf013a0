import Host
import Testing

@testable import Tomography

@Suite struct AngularWeightsTests {
  @Test func `projections stand for the angles around them`() {
    func expect(_ thetas: [Double], _ expected: [Double], at location: SourceLocation = #_sourceLocation) {
      let weights = angularWeights(thetas)
      #expect(zip(weights, expected).allSatisfy { abs($0 - $1) < 1e-9 }, "\(weights)", sourceLocation: location)
    }
    let step = Double.pi / 12
    expect([1], [.pi])
    expect((0..<12).map { Double($0) * step }, [Double](repeating: step, count: 12))
    // Any order, any turn, any direction.
    expect([3, 0, 2, 1].map { -Double($0) * .pi / 4 + 7 * .pi }, [Double](repeating: .pi / 4, count: 4))
    // Both ends of half a turn share, and so do the two halves of a full one.
    expect((0...12).map { Double($0) * step }, [0.5 * step] + [Double](repeating: step, count: 11) + [0.5 * step])
    expect((0..<24).map { Double($0) * step }, [Double](repeating: 0.5 * step, count: 24))
    // Uneven: 0, 1, 3 of 6 steps.
    expect([0, 1, 3].map { $0 * .pi / 6 }, [2, 1.5, 2.5].map { $0 * .pi / 6 })
    // A wedge that was not measured counts as three steps.
    expect((0..<5).map { Double($0) * step }, [2, 1, 1, 1, 2].map { $0 * step })
    // Seen from one side of the axis only, half turns differ.
    #expect(
      angularWeights((0..<24).map { Double($0) * step }, period: 2 * .pi).allSatisfy { abs($0 - step) < 1e-9 })
    let golden = (0..<89).map { Double($0) * .pi * (5.0.squareRoot() - 1) / 2 }
    #expect(abs(angularWeights(golden).reduce(0, +) - .pi) < 1e-9)
  }

  @Test(arguments: [(361, 1.0), (540, 1), (500, 1.8), (1_000, 3.61)])
  func `turns that do not meet quite stand for half a turn together`(count: Int, step: Double) {
    var random = SplitMix64(seed: 9)
    let thetas = (0..<count).map { (Double($0) * step + .random(in: -0.01...0.01, using: &random)) * .pi / 180 }
    let weights = angularWeights(thetas)
    #expect(abs(weights.reduce(0, +) / .pi - 1) < 0.02, "\(weights.reduce(0, +))")
  }

  @Test func `a part of a scan that is measured more densely leaves the other its weight`() {
    let thetas = (0..<120).map { 0.5 * Double($0) } + (0..<24).map { 60 + 5 * Double($0) }
    let weights = angularWeights(thetas.map { $0 * .pi / 180 })
    #expect(weights[120...].dropFirst().allSatisfy { abs($0 * 180 / .pi - 5) < 1e-9 }, "\(weights[120...])")
  }

  @Test func `angles that are no steps have no shares`() {
    for count in [2, 3, 13, 30, 55, 90, 144, 180, 1000] {
      let golden = (0..<count).map { (Double($0) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1) * .pi }
      for period in [Double.pi, 2 * .pi] { #expect(angularShares(golden, period: period) == nil, "\(count)") }
    }
  }

  @Test func `evenly spaced angles have no shares, whatever they span and however they come`() {
    var random = SplitMix64(seed: 4)
    for (count, step, jitter) in [
      (90, 2.0, 0.0), (91, 2, 0), (80, 2, 0), (30, 2, 0.3), (97, 3.7, 0), (361, 1, 0.002), (1, 1, 0), (2, 40, 0),
    ] {
      let thetas = (0..<count).map { (Double($0) * step + jitter * .random(in: -1...1, using: &random)) * .pi / 180 }
      for period in [Double.pi, 2 * .pi] {
        #expect(angularShares(thetas, period: period) == nil, "\(count) of \(step)°")
        #expect(angularShares(thetas.shuffled(using: &random), period: period) == nil, "\(count) of \(step)°")
        #expect(angularShares(thetas + thetas, period: period) == nil, "\(count) of \(step)°, twice")
      }
    }
  }

  @Test func `neighbours of what is missing have larger shares, of 1 on average`() throws {
    let kept = (0..<90).filter { ![30, 61, 62].contains($0) }
    let shares = try #require(angularShares(kept.map { Double($0) * .pi / 90 }, period: .pi))
    let mean = 90.0 / 87
    for (index, share) in zip(kept, shares) {
      let steps: Double = [29: 1.5, 31: 1.5, 60: 2, 63: 2][index] ?? 1
      let difference = abs(Double(share) * mean - steps)
      #expect(difference < 1e-5, "\(index): \(share)")
    }
    #expect(abs(shares.reduce(0, +) / 87 - 1) < 1e-6)
    // What a half turn later saw makes up for it.
    let turn = (0..<180).filter { $0 != 40 }.map { Double($0) * .pi / 90 }
    let both = try #require(angularShares(turn, period: .pi))
    #expect(abs(both[129] / both[10] - 2) < 1e-4 && abs(both[39] / both[10] - 1) < 1e-4)
  }
}
