/// How well the final iterations fit the data, over all rows of a volume.
package struct VolumeFit: Codable, Equatable, Sendable {
  /// σ, the standard deviation of a line integral: the median of the rows.
  package var noise: Float
  /// λ, the weight of the penalty, in the unit of the volume: the median.
  package var weight: Float
  /// m, the attenuation that the slices have, in the unit of the volume: the median.
  package var scale: Float
  /// Root mean square of what is left of the data, in units of σ: the median. Nil where σ comes from what is left.
  package var residualOverNoise: Float?
  /// The same of the row where it is largest.
  package var residualOverNoiseWorst: Float?
  /// That row, by the number of its slice.
  package var worstRow: Int?
  /// Slices whose range was too wide for fixed point, and that were projected in float.
  package var floatSlices: Int?
  /// Projections of slices that were made once more, because voxels did not fit in fixed point; nothing is lost.
  package var outgrownProjections: Int?

  /// Beyond it the slices do not explain the data.
  static let residualMax: Float = 1.15

  /// Of the fits of the rows from slice `firstSlice` on, with the factor from 1/pixel to the unit of the volume; nil
  /// where of no row anything is known.
  package init?(_ fits: [RowFit], unit: Float, firstSlice: Int) {
    func median(_ value: (RowFit) -> Float) -> Float? {
      let sorted = fits.map(value).filter(\.isFinite).sorted()
      return sorted.isEmpty ? nil : sorted[sorted.count / 2]
    }
    guard let noise = median(\.noise), let weight = median({ $0.weight * unit }),
      let scale = median({ $0.scale * unit })
    else { return nil }
    (self.noise, self.weight, self.scale, residualOverNoise) = (noise, weight, scale, median(\.residual))
    let worst = fits.enumerated().filter { $0.element.residual.isFinite }.max {
      $0.element.residual < $1.element.residual
    }
    (residualOverNoiseWorst, worstRow) = (worst?.element.residual, worst.map { firstSlice + $0.offset })
    floatSlices = fits.count(where: \.isFloat)
    outgrownProjections = fits.reduce(0) { $0 + $1.outgrownCount }
  }

  /// One line for people.
  package var words: String {
    let noise =
      "noise of a line integral \(Self.digits(noise)), weight \(Self.digits(weight)), "
      + "attenuation \(Self.digits(scale))"
    guard let residualOverNoise, let residualOverNoiseWorst, let worstRow else { return noise }
    return noise
      + "; residual \(Self.digits(residualOverNoise)) of the noise, at most \(Self.digits(residualOverNoiseWorst)) "
      + "in slice \(worstRow)"
  }

  /// What to say where the slices do not explain the data; nil where they do.
  package var warning: String? {
    guard let residualOverNoise, residualOverNoise > Self.residualMax else { return nil }
    return
      "the residual is \(Self.digits(residualOverNoise)) times the noise, and where the slices explain the data it is "
      + "about 1: rings (--stripe-removal vo), a wrong --rotation-axis or a sample that moved are likely reasons"
  }

  /// What to say where fixed point did not do for all slices; nil where it did.
  package var precisionNotice: String? {
    let float = floatSlices ?? 0, outgrown = outgrownProjections ?? 0
    let parts = [
      float == 0
        ? nil
        : "\(float) slices were projected in float, because some bins are too many times their noise for fixed point: "
          + "outliers (--zingers), or rays that meet next to nothing of the disk (--disk-mask), are likely reasons",
      outgrown == 0
        ? nil : "\(outgrown) projections of slices were made once more, because voxels had outgrown fixed point",
    ]
    let known = parts.compactMap(\.self)
    return known.isEmpty ? nil : known.joined(separator: "; ")
  }

  /// What a volume file says of it.
  package var facts: [String: String] {
    let known = [
      "line_integral_noise": noise, "penalty_weight": weight, "attenuation_scale": scale,
      "residual_over_noise": residualOverNoise, "residual_over_noise_worst": residualOverNoiseWorst,
    ].compactMapValues { $0 }
    return known.mapValues { "\($0)" }.merging(worstRow.map { ["residual_over_noise_worst_slice": "\($0)"] } ?? [:]) {
      $1
    }
  }

  /// Three significant digits.
  private static func digits(_ value: Float) -> String {
    guard value != 0 else { return "0" }
    var power = 1.0
    // The least power of ten that leaves three digits before the point; no value is so small that it has none.
    while abs(Double(value)) * power < 100, power < 1e40 { power *= 10 }
    return "\((Double(value) * power).rounded() / power)"
  }
}
