import Glibc

/// The weight of total variation that a slice's noise asks for.
///
/// λ = m √( [0.032 (ρ / m) (A / 180)^−½ (g / m)^−0.3]² + (2.5e-4)² ) is the threshold of a step with all A angles; ρ =
/// σ / N the noise of a line integral over N pixels, m the slice's scale (99th percentile of its filtered
/// backprojection in the disc) and g the mean length of its gradient there. Fitted to simulated scans (foam, cracks,
/// rock, smooth, 45 to 720 angles, 500 to 100,000 photons): on average 0.3 dB below the best weight, 1.2 at worst. It
/// grows with the data's scale and has no unit.
struct WeightRule {
  let angles: Double
  let columns: Int

  private static let noiseFactor = 0.032
  private static let floor = 2.5e-4

  /// λ in the volume's unit: 0 for a slice without scale.
  func weight(scale: Float, noise: Float, gradient: Float) -> Float {
    let m = Double(scale)
    guard m > 0, m.isFinite, noise.isFinite, gradient.isFinite else { return 0 }
    let noiseTerm =
      Self.noiseFactor * Double(noise) / (m * Double(columns)) * pow(angles / 180, -0.5)
      * pow(max(Double(gradient) / m, 0.002), -0.3)
    return Float(m * (noiseTerm * noiseTerm + Self.floor * Self.floor).squareRoot())
  }

  /// g before a picture is there.
  func firstGradient(scale: Float) -> Float { 0.07 * scale * 128 / Float(columns) }
}
