import Glibc
import Host

/// A disk with an inclusion and 25 Gaussian spots of widths from a hundredth to a sixteenth of the slice, some brighter
/// and some darker: what total variation is worst at. The same in every row.
struct SmoothDisk: Phantom {
  /// Largest line integrals about 2.
  let fullWidthIntegral = 3.0
  private let blobs: [GaussianSpot]

  private static let spotCount = 25
  private static let disk = [
    Ellipse(x: 0, y: 0, a: 0.88, value: 0.4), Ellipse(x: 0.2, y: 0.2, a: 0.24, b: 0.16, angle: 0.5, value: 0.2),
  ]

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    blobs = (0..<Self.spotCount).map { _ in
      let angle = 2 * .pi * random.unit(), distance = 0.6 * random.unit()
      return GaussianSpot(
        x: distance * cos(angle), y: distance * sin(angle), width: 0.04 + 0.2 * random.unit(),
        value: -0.12 + 0.37 * random.unit())
    }
  }

  func ellipses(row: Int) -> [Ellipse] { Self.disk }
  func spots(row: Int) -> [GaussianSpot] { blobs }
}
