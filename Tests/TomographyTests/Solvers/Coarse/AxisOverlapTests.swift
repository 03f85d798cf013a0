import Testing

@testable import Tomography

@Suite struct AxisOverlapTests {
  /// Of so many pixels, coarse ones as detector and half acquisition have them.
  private static let sizes = [(8, 4), (9, 4), (202, 102), (202, 101), (162, 80), (2, 1), (3, 1)]

  @Test(arguments: sizes) func `Means are of two pixels, and lie where the coarse pixel does`(pixels: Int, coarse: Int)
  {
    let overlap = AxisOverlap(pixels: pixels, coarse: coarse)
    for (index, share) in overlap.means.enumerated() {
      #expect((1...3).contains(share.count) && abs(share.weights.sum() - 1) < 1e-6, "\(index)")
      let centre = (0..<share.count).reduce(0) { $0 + share.weights[$1] * (Float(share.first + $1) + 0.5) }
      let wanted = 2 * (Float(index) + 0.5 - Float(coarse) / 2) + Float(pixels) / 2
      // A coarse pixel that reaches beyond the slice has what there is.
      let isWhole = wanted >= 1 && wanted <= Float(pixels) - 1
      #expect(abs(centre - wanted) < (isWhole ? 1e-4 : 1.01), "\(index): \(centre), not \(wanted)")
    }
  }

  @Test(arguments: sizes) func `Every pixel within coarse ones has their values, by its place`(pixels: Int, coarse: Int)
  {
    let overlap = AxisOverlap(pixels: pixels, coarse: coarse)
    for (index, share) in overlap.values.enumerated() {
      let start = Float(pixels) / 2 - Float(coarse)
      let isReached = Float(index) + 1 > start && Float(index) < start + 2 * Float(coarse)
      #expect((share.count > 0) == isReached && share.count <= 2, "\(index)")
      guard share.count > 0 else { continue }
      #expect(abs(share.weights.sum() - 1) < 1e-6, "\(index)")
      let centre = (0..<share.count).reduce(0) { $0 + share.weights[$1] * (Float(share.first + $1) + 0.5) }
      let wanted = (Float(index) + 0.5 - Float(pixels) / 2) / 2 + Float(coarse) / 2
      #expect(abs(centre - wanted) < 0.51, "\(index): \(centre), not \(wanted)")
    }
  }
}
