/// What `bench quality` measured.
package struct QualityReport: Codable, Sendable {
  /// A method's picture.
  package struct Row: Codable, Sendable {
    /// `fbp`, `sirt`, `mlem` or `auto`.
    package var method: String
    /// The filter of fbp, the preset of auto.
    package var variant: String?
    /// Sweeps over all angles, forward and back: ½ for fbp, which has no forward projection.
    package var sweeps: Double
    /// Processor time of one thread, for one of the slices that are computed together.
    package var seconds: Double
    /// ‖√R (b − A x)‖ / ‖√R b‖ with R = 1 / A1.
    package var residual: Double
    /// With a truth.
    package var known: Known?
    /// Of a scan file.
    package var looks: Looks?
  }

  /// How near a picture comes to the truth, in the disc of 0.45 of the columns; means over the slices.
  package struct Known: Codable, Sendable {
    /// Decibels.
    package var psnr: Double
    /// Slope of the picture's fine structure on the truth's: 1 where it is kept, 0 where it is eaten. Linear, so that
    /// noise does not count as detail.
    package var detail: Double
  }

  /// What can be told without a truth, in 1/pixel: see `SceneMasks`.
  package struct Looks: Codable, Sendable {
    /// Standard deviation where there is air.
    package var air: Double
    /// Mean length of the gradient on edges.
    package var edges: Double
    /// Mean of |x| in a ring around the sample.
    package var ring: Double
  }

  /// All methods on the same data.
  package struct Table: Codable, Sendable {
    /// The phantom's name, or the file's path.
    package var sample: String
    /// Projections.
    package var angles: Int
    /// Photons a pixel without a sample, where the noise is that of photons.
    package var photons: Double?
    /// σ of a line integral, as the solver was told; nil where it was not.
    package var noise: Double?
    /// The largest line integral.
    package var largest: Double
    /// Every picture that was made, in the order in which it was.
    package var rows: [Row]
    /// What auto could have done with other weights and sweeps, where that was asked for.
    package var grid: QualityGrid?
  }

  /// `release`, or `debug`, whose kernels are the same.
  package var build: String
  /// The processor's name.
  package var processor: String
  /// Slices that are computed together: each with noise of its own, or of a file, all alike.
  package var slices: Int
  /// Columns of the detector.
  package var columns: Int
  /// Of phantom and noise.
  var seed: UInt64
  /// One for each sample, noise and number of angles.
  package var tables: [Table]
}

extension QualityReport.Table {
  /// Of a method's pictures the one with the best PSNR; nil without a truth.
  package func best(_ method: String) -> QualityReport.Row? {
    let rows = rows.filter { $0.method == method && $0.known != nil }
    return rows.max { ($0.known?.psnr ?? 0) < ($1.known?.psnr ?? 0) }
  }

  /// What a preset of auto makes with the sweeps that it chooses.
  package func auto(_ preset: String) -> QualityReport.Row? { rows.last { $0.variant == preset } }

  /// The first picture of standard auto that is as good as SIRT's best.
  package var overtaking: QualityReport.Row? {
    guard let best = best("sirt")?.known else { return nil }
    return rows.first { $0.variant == "standard" && ($0.known?.psnr ?? -.infinity) >= best.psnr }
  }
}
