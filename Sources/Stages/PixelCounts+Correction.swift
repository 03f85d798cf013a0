import RunModel
import Tomography

extension PixelCounts {
  /// What a correction replaced in some projections; dead pixels are the detector's, and not among it.
  init(_ counts: CorrectionCounts) {
    self.init(nonFinite: counts.nonFinite, clamped: counts.clamped, negative: counts.negative)
  }
}
