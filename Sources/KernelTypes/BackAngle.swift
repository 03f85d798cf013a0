/// One angle as the backprojector sees it: pixel (column, row) falls on bin `column · cosine − row · sine + origin`.
public struct BackAngle: Sendable {
  /// Cosine and sine of theta.
  public let cosine: Double, sine: Double
  /// Bin of the centre of pixel (0, 0).
  public let origin: Double
  /// Row of the sinogram block.
  public let slot: Int
  /// True when bins rise with the column, so that of two neighbours the left one lies nearer to bin 0.
  public let isRising: Bool
  /// Joseph's weight at distance d is max(0, weight − slope · d): 1 / c and 1 / c² with c = max(|cosine|, |sine|).
  public let weight: Float, slope: Float
  /// Bins between two neighbouring columns, |cosine|.
  public let step: Float
  /// Bins from the corner of a patch 8 columns wide and 4 rows high to the lower pixel of each pair: `[row][pair]`.
  public let offsets: SIMD16<Float>

  /// Prepares one angle (radians) whose projection is in row `slot`.
  public init(cosine: Double, sine: Double, origin: Double, slot: Int) {
    let largest = max(abs(cosine), abs(sine))
    self.cosine = cosine
    self.sine = sine
    self.origin = origin
    self.slot = slot
    isRising = cosine >= 0
    weight = Float(1 / largest)
    slope = Float(1 / (largest * largest))
    step = Float(abs(cosine))
    let lower = isRising ? 0 : 1
    var offsets = SIMD16<Float>()
    for lane in 0..<16 {
      offsets[lane] = Float(Double((lane & 3) * 2 + lower) * cosine - Double(lane >> 2) * sine)
    }
    self.offsets = offsets
  }
}
