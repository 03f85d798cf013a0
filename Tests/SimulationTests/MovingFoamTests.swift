import Simulation
import Testing

@Suite struct MovingFoamTests {
  private static let columns = 64

  @Test func `a pore grows from nothing, and away from it nothing changes`() {
    let foam = MovingFoam(.pore, columns: Self.columns, seed: 3)
    let (before, after) = (foam.truth(at: 0), foam.truth(at: 1))
    let middle = (Self.columns / 2 - 2) * Self.columns + Self.columns / 2
    #expect(before[middle] > 0 && abs(after[middle]) < 1e-6)
    let lost = zip(before, after).reduce(Float(0)) { $0 + $1.0 - $1.1 }
    // A disc of a tenth of the columns.
    let area = Float.pi * 6.4 * 6.4 * before[middle]
    #expect(abs(lost - area) < 0.03 * area)
    #expect(before[..<(Self.columns * 16)] == after[..<(Self.columns * 16)])
  }

  @Test func `a drift moves the foam to the right and down, and its line integrals with it`() {
    let foam = MovingFoam(.drift, columns: Self.columns, seed: 3)
    func centre(_ slice: [Float]) -> (x: Float, y: Float) {
      var sums = (all: Float(0), x: Float(0), y: Float(0))
      for (index, value) in slice.enumerated() {
        sums.all += value
        sums.x += value * Float(index % Self.columns)
        sums.y += value * Float(index / Self.columns)
      }
      return (sums.x / sums.all, sums.y / sums.all)
    }
    let (before, after) = (centre(foam.truth(at: 0)), centre(foam.truth(at: 1)))
    #expect(abs(after.x - before.x - 0.04 * 64) < 0.05 && abs(after.y - before.y - 0.02 * 64) < 0.05)
    let count = 50, scan = foam.scan(thetas: Array(repeating: 0, count: count))
    let lines = scan.measured(.relative(1e-6), seed: 1, number: 0).lines
    let last = Array(lines.suffix(Self.columns)), first = Array(lines.prefix(Self.columns))
    func middle(_ line: [Float]) -> Float {
      line.enumerated().reduce(0) { $0 + Float($1.offset) * $1.element } / line.reduce(0, +)
    }
    #expect(abs(middle(last) - middle(first) - 0.04 * 64 * Float(count - 1) / Float(count)) < 0.05)
  }
}
