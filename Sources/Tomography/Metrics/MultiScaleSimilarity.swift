import Glibc

/// Multi-scale structural similarity of two slices, MS-SSIM: 1 for equal ones, less the more their structures differ.
///
/// Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multi-scale structural similarity for image quality assessment", Asilomar
/// 2003, with the authors' constants: means over an 11 × 11 Gaussian of σ 1.5 where it lies within the slice, K₁ =
/// 0.01, K₂ = 0.03, exponents 0.0448, 0.2856, 0.3001, 0.2363, 0.1333. Contrast and structure count at every scale,
/// luminance at the last one:
///
///     C_j = mean (2 σ_ab + C₂) / (σ_a² + σ_b² + C₂)          scale j: averages of 2^(j−1) × 2^(j−1) pixels
///     L   = mean (2 μ_a μ_b + C₁) / (μ_a² + μ_b² + C₁) · (the same as in C)
///     MS-SSIM = C₁^w₁ · C₂^w₂ · C₃^w₃ · C₄^w₄ · L^w₅          a negative mean counts as 0
///
/// The dynamic range, on which C₁ and C₂ depend, is given and does not follow the slices, so that scores can be
/// compared with each other. Where the slice has no room for five scales (below 176 columns) those that it has room for
/// are used, their exponents scaled to a sum of 1.
///
/// Of a single scale j the score is the mean of luminance, contrast and structure together, as in SSIM, of slices
/// averaged over 2^(j−1) × 2^(j−1) pixels.
package struct MultiScaleSimilarity: Sendable {
  /// The fewest columns of a slice.
  package static let columnsMin = Gaussian.taps
  /// Rows and columns of a slice.
  let columns: Int
  /// The grey values between which slices are compared: black and white.
  let range: ClosedRange<Float>
  /// Windows count whose centre lies inside the disc of this radius, in columns, around the slice's middle; nil for all
  /// of them.
  let radiusFraction: Double?
  /// The only scale that counts, from 1; nil for all of them together.
  let scale: Int?

  private static let exponents = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]

  /// A comparison of slices of `columns` × `columns` pixels, at least 11, which have room for `scale`.
  package init(columns: Int, range: ClosedRange<Float>, radiusFraction: Double?, scale: Int? = nil) {
    precondition(columns >= Self.columnsMin, "\(columns) columns are fewer than a window of \(Self.columnsMin)")
    precondition(range.lowerBound < range.upperBound, "a grey range of \(range)")
    precondition(radiusFraction.map { $0 > 0 } ?? true, "a disc of radius \(radiusFraction ?? 0)")
    precondition(
      scale.map { (1...Self.scaleCount(columns: columns)).contains($0) } ?? true,
      "scale \(scale ?? 0) of slices of \(columns) columns")
    self.columns = columns
    self.range = range
    self.radiusFraction = radiusFraction
    self.scale = scale
  }

  /// The most scales.
  package static let scalesMax = exponents.count

  /// How many scales a slice of so many columns has room for, at most five.
  package static func scaleCount(columns: Int) -> Int {
    var (count, columns) = (0, columns)
    while columns >= Gaussian.taps, count < exponents.count { (count, columns) = (count + 1, (columns + 1) / 2) }
    return count
  }

  /// The similarity of two slices, row by row; NaN where one of their pixels is not finite and counts.
  package func score(_ first: UnsafeBufferPointer<Float>, _ second: UnsafeBufferPointer<Float>) -> Double {
    precondition(
      first.count == columns * columns && second.count == first.count, "\(first.count) and \(second.count) pixels")
    let black = range.lowerBound, scale = 1 / (range.upperBound - black)
    // Around the middle of the range variances lose the least to rounding.
    let middle: Float = 0.5
    var pair = ImagePair(first, second, columns: columns, black: black, scale: scale, middle: middle)
    if let scale = self.scale {
      for _ in 1..<scale { pair = pair.halved() }
      let mean = SimilarityMap(pair, middle: middle, radiusFraction: radiusFraction, hasLuminance: true).mean
      return mean.isNaN ? .nan : max(mean, 0)
    }
    let count = Self.scaleCount(columns: columns)
    let exponents = Self.exponents[..<count]
    let sum = count == Self.exponents.count ? 1 : exponents.reduce(0, +)
    var product = 1.0
    for (index, exponent) in exponents.enumerated() {
      let isLast = index == count - 1
      let mean = SimilarityMap(pair, middle: middle, radiusFraction: radiusFraction, hasLuminance: isLast).mean
      product *= mean.isNaN ? .nan : pow(max(mean, 0), exponent / sum)
      if !isLast { pair = pair.halved() }
    }
    return product
  }
}
