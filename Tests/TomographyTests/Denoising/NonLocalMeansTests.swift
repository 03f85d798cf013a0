import Glibc
import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct NonLocalMeansTests {
  @Test func `The exponential is right to single precision of its argument`() {
    for index in 0..<8000 {
      let t = Float(index) / 100
      let truth = exp(-Double(t))
      #expect(abs(Double(expMinus(t)) - truth) <= (3e-6 + 1.5e-7 * Double(t)) * truth, "t = \(t)")
    }
    #expect(expMinus(0) == 1 && expMinus(81) == 0 && expMinus(.infinity) == 0)
  }

  /// Buades, Coll and Morel's mean, as their formula has it.
  @Test func `Every voxel is the mean that the formula gives`() {
    let columns = 22, count = 2, size = columns * columns
    let (noise, strength): (Float, Float) = (0.7, 1.3)
    var random = SplitMix64(seed: 2)
    let stack = (0..<count * size).map { index in
      Float(random.poisson(mean: 100) - 100) / 14 + (index % columns > 9 ? 3 : 0)
    }
    let found = Denoiser(.nonLocalMeans(strength: strength), columns: columns, noise: noise).apply(stack)
    func voxel(_ z: Int, _ y: Int, _ x: Int) -> Double {
      Double(stack[z * size + min(max(y, 0), columns - 1) * columns + min(max(x, 0), columns - 1)])
    }
    let radius = NonLocalMeans.patchRadius, reach = NonLocalMeans.searchRadius
    let h = Double(strength * NonLocalMeans.filtering * noise), patch = Double((2 * radius + 1) * (2 * radius + 1))
    for (y, x) in [(0, 0), (3, 21), (11, 9), (21, 10), (12, 12)] {
      for z in 0..<count {
        var (weights, sum) = (0.0, 0.0)
        for (v, w, u) in (0..<count).flatMap({ v in
          (y - reach...y + reach).flatMap { w in (x - reach...x + reach).map { (v, w, $0) } }
        }) {
          guard (0..<columns).contains(w), (0..<columns).contains(u) else { continue }
          var squares = 0.0
          for (b, a) in (-radius...radius).flatMap({ b in (-radius...radius).map { (b, $0) } }) {
            let difference = voxel(z, y + b, x + a) - voxel(v, min(max(y + b, 0), columns - 1) + w - y, x + a + u - x)
            squares += difference * difference
          }
          let weight = exp(-max(0, squares / patch - 2 * Double(noise * noise)) / (h * h))
          weights += weight
          sum += weight * voxel(v, w, u)
        }
        let (expected, value) = (sum / weights, Double(found[z * size + y * columns + x]))
        // Patches that reach over the slice's edge may be continued a little differently.
        let isInside = (radius..<columns - radius).contains(x) && (radius..<columns - radius).contains(y)
        #expect(abs(value - expected) < (isInside ? 1e-4 : 0.2), "voxel (\(z), \(y), \(x))")
      }
    }
  }
}
