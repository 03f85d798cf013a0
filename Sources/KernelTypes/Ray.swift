/// One angle as the forward projector sees it. A ray takes one step for each pixel along its major axis m and meets the
/// minor axis at `n = bin · inverse + m · drift + start`. With `isSwapped`, m runs along columns and n along rows;
/// otherwise the reverse.
package struct Ray: Sendable {
  /// `bin = n · across + m · along + origin`; |across| ≥ |along|.
  package let across: Double, along: Double, origin: Double
  /// 1 / across, −along / across and −origin / across.
  package let inverse: Double, drift: Double, start: Double
  /// True for angles nearer to π/2 than to 0 or π.
  package let isSwapped: Bool
  /// Row of the sinogram block.
  package let slot: Int
  /// Joseph's weight of a step, |inverse|.
  package let weight: Float
  /// Minor-axis positions of two neighbouring rays over eight steps, relative to the first: `[step][ray]`.
  package let offsets: SIMD16<Float>

  /// Prepares one angle whose projection is in row `slot`; `origin` is the bin of the centre of pixel (0, 0).
  package init(cosine: Double, sine: Double, origin: Double, slot: Int) {
    isSwapped = abs(cosine) < abs(sine)
    across = isSwapped ? -sine : cosine
    along = isSwapped ? cosine : -sine
    self.origin = origin
    inverse = 1 / across
    drift = -along / across
    start = -origin / across
    self.slot = slot
    weight = Float(abs(inverse))
    var offsets = SIMD16<Float>()
    for lane in 0..<16 {
      offsets[lane] = Float(drift * Double(lane >> 1) + (lane & 1 == 1 ? inverse : 0))
    }
    self.offsets = offsets
  }
}
