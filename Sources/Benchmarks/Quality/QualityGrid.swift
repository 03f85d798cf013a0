import Glibc
internal import Tomography

/// Pictures of auto over a grid of weights and sweeps: what the rule's weight and number of sweeps are held against.
package struct QualityGrid: Codable, Sendable {
  /// Auto with one weight in all of its sweeps.
  package struct Picture: Codable, Sendable {
    /// Times the weight that the rule came to in its last sweep.
    package let factor: Double
    /// Over all angles.
    package let sweeps: Int
    /// Whether the last two sweeps are relaxed, as auto's are.
    package let isRelaxed: Bool
    /// How near it comes to the truth.
    package let known: QualityReport.Known
  }

  /// The rule's weight: the mean over the slices.
  package let weight: Double
  /// Every picture, in the order in which it was made.
  package internal(set) var pictures: [Picture] = []
  /// Auto after twice the sweeps that it chooses, with the rule's weight.
  package let twice: QualityReport.Known

  /// The one with the best PSNR.
  package var best: Picture? { pictures.max { $0.known.psnr < $1.known.psnr } }

  /// A quarter to four times the rule's, in steps of √2.
  private static let factors = (-4...4).map { exp2(Double($0) / 2) }

  /// Measures the grid: with each weight K and 2 K sweeps of which the last two are relaxed, and each number of sweeps
  /// up to K without, where K is what auto chooses. `judge` looks at the slices of the bed.
  init(on bed: QualityBed, interrupt: () throws -> Void, judge: () -> QualityReport.Known) throws {
    let chosen = bed.sweepCount(.standard)
    var ruled = QualityReport.Known(psnr: 0, detail: 0)
    let weight = bed.sweep(weight: nil, sweeps: chosen, isRelaxed: true) { _ in }
    bed.sweep(weight: nil, sweeps: 2 * chosen, isRelaxed: true) { if $0 == 2 * chosen { ruled = judge() } }
    (self.weight, twice) = (Double(weight), ruled)
    for factor in Self.factors {
      func add(sweeps: Int, isRelaxed: Bool) {
        pictures.append(Picture(factor: factor, sweeps: sweeps, isRelaxed: isRelaxed, known: judge()))
      }
      for last in [chosen, 2 * chosen] {
        try interrupt()
        bed.sweep(weight: Float(factor) * weight, sweeps: last, isRelaxed: true) {
          if $0 == last { add(sweeps: last, isRelaxed: true) }
        }
      }
      try interrupt()
      bed.sweep(weight: Float(factor) * weight, sweeps: chosen, isRelaxed: false) {
        add(sweeps: $0, isRelaxed: false)
      }
    }
  }
}
