import Simulation
import Testing

struct FoamTests {
  @Test(arguments: [1, 2, 77] as [UInt64])
  func `voids touch neither each other nor the wall`(seed: UInt64) {
    let voids = Foam(rows: 40, columns: 64, seed: seed).voids
    #expect(voids.count > 100, "seed \(seed)")
    for (index, void) in voids.enumerated() {
      #expect((void.x * void.x + void.y * void.y).squareRoot() + void.radius < Foam.cylinderRadius, "seed \(seed)")
      for other in voids[..<index] {
        let (x, y, z) = (void.x - other.x, void.y - other.y, void.z - other.z)
        #expect((x * x + y * y + z * z).squareRoot() > void.radius + other.radius, "seed \(seed)")
      }
    }
    let radii = voids.map(\.radius)
    #expect((radii.max() ?? 0) > 2.5 * (radii.min() ?? 1), "seed \(seed): large and small")
  }

  @Test func `a seed always makes the same foam and another seed another one`() {
    #expect(Foam(rows: 8, columns: 32, seed: 9).voids == Foam(rows: 8, columns: 32, seed: 9).voids)
    #expect(Foam(rows: 16, columns: 64, seed: 9).voids == Foam(rows: 8, columns: 32, seed: 9).voids)
    #expect(Foam(rows: 8, columns: 32, seed: 9).voids != Foam(rows: 8, columns: 32, seed: 10).voids)
  }

  @Test func `a row holds exactly the voids that its plane cuts`() {
    let (rows, columns) = (20, 50)
    let foam = Foam(rows: rows, columns: columns, seed: 4, voidValue: 0)
    for row in 0..<rows {
      let z = (Double(row) + 0.5 - Double(rows) / 2) / (Double(columns) / 2)
      let cut = foam.voids.filter { abs($0.z - z) < $0.radius }
      let discs = foam.ellipses(row: row).dropFirst()
      #expect(discs.map(\.x) == cut.map(\.x))
      for (disc, void) in zip(discs, cut) {
        #expect(abs(disc.a * disc.a + (void.z - z) * (void.z - z) - void.radius * void.radius) < 1e-12)
        #expect(disc.value == -1)
      }
    }
  }
}
