import Testing

@testable import Tomography

@Suite struct GaussianSmoothingTests {
  @Test func `a point becomes a Gaussian, whichever way its image is longer`() {
    for (columns, rows) in [(41, 31), (31, 41)] {
      var image = [Float](repeating: 0, count: columns * rows)
      image[15 * columns + 15] = 1
      let smooth = gaussianSmoothed(image, columns: columns, sigma: 2)
      #expect(abs(smooth.reduce(0, +) - 1) < 1e-4)
      let variance = smooth.indices.reduce(0.0) { sum, index in
        let x = Double(index % columns - 15)
        return sum + x * x * Double(smooth[index])
      }
      #expect(abs(variance - 4) < 0.02)
      #expect(abs(smooth[15 * columns + 17] - smooth[17 * columns + 15]) < 1e-8)
    }
  }

  @Test func `what is even stays so, up to the edges`() {
    let smooth = gaussianSmoothed([Float](repeating: 3, count: 20 * 7), columns: 20, sigma: 1.5)
    #expect(smooth.allSatisfy { abs($0 - 3) < 1e-5 })
  }
}
