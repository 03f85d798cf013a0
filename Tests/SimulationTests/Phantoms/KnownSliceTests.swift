import Testing

@testable import Simulation

@Suite struct KnownSliceTests {
  private static let columns = 64

  /// Along columns (0) and rows (π/2) a slice needs no interpolation.
  @Test(arguments: KnownSlice.Kind.allCases)
  func `line integrals are sums of the true slice`(kind: KnownSlice.Kind) {
    let n = Self.columns, slice = KnownSlice(kind, columns: n, thetas: [0, .pi / 2], seed: 9)
    let lines = slice.measured(.relative(1e-9), seed: 1, number: 0).lines
    for bin in 0..<n {
      let down = (0..<n).reduce(Float(0)) { $0 + slice.truth[$1 * n + bin] }
      let across = (0..<n).reduce(Float(0)) { $0 + slice.truth[(n - 1 - bin) * n + $1] }
      #expect(abs(down - lines[bin]) < 0.04, "column \(bin): \(down), \(lines[bin])")
      #expect(abs(across - lines[n + bin]) < 0.04, "row \(n - 1 - bin): \(across), \(lines[n + bin])")
    }
    #expect((1...3).contains(lines.max() ?? 0))
  }

  @Test(arguments: [KnownSlice.Noise.relative(0.02), .photons(2_000)])
  func `noise is as large as is said, another one in each slice, and the same for a seed`(noise: KnownSlice.Noise) {
    let slice = KnownSlice(.smooth, columns: Self.columns, thetas: (0..<40).map { 0.08 * Double($0) }, seed: 2)
    let exact = slice.measured(.relative(1e-9), seed: 1, number: 0).lines
    let (lines, sigma) = slice.measured(noise, seed: 3, number: 0)
    let square = zip(lines, exact).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    #expect(abs((square / Double(lines.count)).squareRoot() / Double(sigma) - 1) < 0.05)
    #expect(slice.measured(noise, seed: 3, number: 0).lines == lines)
    #expect(slice.measured(noise, seed: 3, number: 1).lines != lines)
  }

  @Test func `cracks are thin, apart, and gone without them`() {
    let disk = CrackedDisk(columns: 128, contrast: .full, seed: 1)
    let cracks = disk.ellipses(row: 0).dropFirst(disk.withoutCracks.ellipses(row: 0).count)
    #expect(cracks.count == 14 && cracks.allSatisfy { $0.b <= 1.0 / 64 && $0.value == -0.6 })
    for (index, crack) in cracks.enumerated() {
      for other in cracks.dropFirst(index + 1) {
        let (x, y) = (crack.x - other.x, crack.y - other.y)
        #expect((x * x + y * y).squareRoot() > 4.0 / 64)
      }
    }
  }
}
