import Foundation
import Testing
import Tomography

struct ImageMetricsTests {
  @Test func `PSNR and relative L2 follow their formulas inside the disc only`() {
    let columns = 8
    // Radius 0.25 · 8 = 2 pixels around the middle: the twelve pixels whose centres are nearer than 2.
    var truth = [Float](repeating: 100, count: 64)
    var image = [Float](repeating: .nan, count: 64)
    for row in 2..<6 {
      for column in 2..<6 where !([2, 5].contains(row) && [2, 5].contains(column)) {
        truth[row * columns + column] = row < 4 ? 1 : 3
        image[row * columns + column] = row < 4 ? 1.5 : 3
      }
    }
    let ratio = psnr(image, truth, columns, 0.25)
    #expect(abs(ratio - 10 * log10(4 / (6 * 0.25 / 12))) < 1e-9)
    let distance = relativeL2Of(image, truth, columns, 0.25)
    #expect(abs(distance - (6 * 0.25 / (6 * 1 + 6 * 9.0)).squareRoot()) < 1e-9)
    #expect(psnr(truth, truth, columns, 0.25) == .infinity)
    #expect(psnr(image, truth, columns, 0.5).isNaN)
  }

  @Test func `grey levels round, cut off and show NaN as black`() {
    let image: [Float] = [-5, 0, 0.5, 1, 2, .nan, .infinity, -.infinity]
    let levels = image.withUnsafeBufferPointer { greyLevels($0, low: 0, high: 1) }
    #expect(levels == [0, 0, 128, 255, 255, 0, 255, 0])
    let flat = image.withUnsafeBufferPointer { greyLevels($0, low: 1, high: 1) }
    #expect(flat == [0, 0, 0, 0, 255, 0, 255, 0])
  }

  @Test func `the grey range leaves outliers out`() {
    var image = (0...1_000).map { Float($0) }
    image[17] = .nan
    image[500] = 1e9
    image.reverse()
    let robust = image.withUnsafeBufferPointer { greyRange($0, percentile: 1) }
    #expect(robust.lowerBound == 10 && robust.upperBound == 991)
    let full = image.withUnsafeBufferPointer { greyRange($0, percentile: 0) }
    #expect(full == 0...1e9)
    let nothing = [Float.nan].withUnsafeBufferPointer { greyRange($0, percentile: 1) }
    #expect(nothing == 0...0)
  }

  private func psnr(_ image: [Float], _ truth: [Float], _ columns: Int, _ radius: Double) -> Double {
    image.withUnsafeBufferPointer { image in
      truth.withUnsafeBufferPointer { Tomography.psnr(image, reference: $0, columns: columns, radiusFraction: radius) }
    }
  }

  private func relativeL2Of(_ image: [Float], _ truth: [Float], _ columns: Int, _ radius: Double) -> Double {
    image.withUnsafeBufferPointer { image in
      truth.withUnsafeBufferPointer { relativeL2(image, reference: $0, columns: columns, radiusFraction: radius) }
    }
  }
}
