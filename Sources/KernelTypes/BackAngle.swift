/// One angle as the backprojector sees it: pixel (column, row) falls on bin `column · cosine − row · sine + origin`.
///
/// Pixels are taken in pairs of neighbours along the axis on which they lie a hat function's half width apart, c =
/// max(|cosine|, |sine|) bins. So the lower pixel of a pair (nearer to bin 0) touches two bins, and the upper one the
/// second of them and the next.
package struct BackAngle: Sendable {
  /// Cosine and sine of theta.
  package let cosine: Double, sine: Double
  /// Bin of the centre of pixel (0, 0).
  package let origin: Double
  /// Row of the sinogram block.
  package let slot: Int
  /// True for angles nearer to π/2 than to 0 or π: their pairs lie in columns, the others' in rows.
  package let isSwapped: Bool
  /// True when bins rise along a pair, so that its first pixel is the lower one.
  package let isRising: Bool
  /// Joseph's weight at distance d is max(0, weight − slope · d): 1 / c and 1 / c².
  package private(set) var weight: Float, slope: Float
  /// Steps along the pairs' axis that keep a bin for each step across it: with like drifts, neighbouring pixels share
  /// bins alike.
  package let drift: Double
  /// Bins between the pixels of a pair, c.
  package let step: Float
  /// Bins from the corner of a patch (four pairs along their axis, four pixels across it) to the lower pixel of each
  /// pair: `[across][pair]`.
  package let offsets: SIMD16<Float>

  /// Prepares one angle whose projection is in row `slot`; `origin` is the bin of the centre of pixel (0, 0).
  package init(cosine: Double, sine: Double, origin: Double, slot: Int) {
    let largest = max(abs(cosine), abs(sine))
    isSwapped = abs(cosine) < abs(sine)
    let along = isSwapped ? -sine : cosine, across = isSwapped ? cosine : -sine
    self.cosine = cosine
    self.sine = sine
    self.origin = origin
    self.slot = slot
    isRising = along >= 0
    drift = -across / along
    weight = Float(1 / largest)
    slope = Float(1 / (largest * largest))
    step = Float(largest)
    let lower = isRising ? 0 : 1
    var offsets = SIMD16<Float>()
    for lane in 0..<16 {
      offsets[lane] = Float(Double((lane & 3) * 2 + lower) * along + Double(lane >> 2) * across)
    }
    self.offsets = offsets
  }

  /// The same angle with Joseph's weight times `factor`.
  package func weighed(by factor: Float) -> BackAngle {
    var angle = self
    angle.weight *= factor
    angle.slope *= factor
    return angle
  }
}
