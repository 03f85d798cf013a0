import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct TotalVariationTests {
  /// ½ Σ (x − y)² + λ Σ |∇x|
  private func energy(_ x: [Float], _ y: [Float], columns: Int, weight: Float) -> Double {
    var sum = 0.0
    for row in 0..<columns {
      for column in 0..<columns {
        let index = row * columns + column
        let right = column + 1 < columns ? Double(x[index + 1] - x[index]) : 0
        let down = row + 1 < columns ? Double(x[index + columns] - x[index]) : 0
        sum +=
          Double(x[index] - y[index]) * Double(x[index] - y[index]) / 2 + Double(weight)
          * (right * right + down * down).squareRoot()
      }
    }
    return sum
  }

  /// With a plateau of n₁ columns at a and one of n₂ at b > a, the minimum is a + λ / n₁ and b − λ / n₂: each row's
  /// energy is n₁ (x₁ − a)² / 2 + n₂ (x₂ − b)² / 2 + λ (x₂ − x₁).
  @Test(arguments: [1, 1e-3, 1e4] as [Float]) func `A step becomes what the formula says`(scale: Float) {
    let columns = 64, left = 24
    let (weight, height) = (0.5 * scale, 4 * scale)
    let slice = (0..<columns * columns).map { $0 % columns < left ? 0 : height }
    let denoised = Denoiser(.totalVariation(strength: 1), columns: columns, noise: weight).apply(slice)
    let (low, high) = (weight / Float(left), height - weight / Float(columns - left))
    for index in denoised.indices {
      #expect(abs(denoised[index] - (index % columns < left ? low : high)) < 0.03 * weight)
    }
  }

  @Test func `The minimum is lower than what more or less smoothing gives`() {
    let columns = 48, weight: Float = 0.8
    var random = SplitMix64(seed: 4)
    let slice = (0..<columns * columns).map { index in
      Float(random.poisson(mean: 2500) - 2500) / 50 + ((index / columns - 24) * (index / columns - 24) < 100 ? 6 : 0)
    }
    let minimum = Denoiser(.totalVariation(strength: 1), columns: columns, noise: weight).apply(slice)
    let least = energy(minimum, slice, columns: columns, weight: weight)
    for other in [0.7, 0.9, 1.1, 1.4] as [Float] {
      let smoothed = Denoiser(.totalVariation(strength: other), columns: columns, noise: weight).apply(slice)
      #expect(energy(smoothed, slice, columns: columns, weight: weight) > least, "λ × \(other)")
    }
    for step in [0.99, 1.01] as [Float] {
      #expect(energy(minimum.map { $0 * step }, slice, columns: columns, weight: weight) > least, "volume × \(step)")
    }
  }
}
