import Host

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
  /// How slices were projected: `fixed` point, `float`, or `mixed`. Nil of a run of an earlier build.
  package var precision: String?
  /// Slices for which fixed point would not do, and that were projected in float.
  package var floatSlices: Int?
  /// Projections of slices that were made once more, because voxels did not fit in fixed point; nothing is lost.
  package var outgrownProjections: Int?

  /// Beyond it the slices do not explain the data.
  static let residualMax: Float = 1.15

  /// Of the fits of the rows from slice `firstSlice` on, with the factor from 1/pixel to the unit of the volume; nil
  /// where of no row anything is known. `asksForFloat` where float was asked for.
  package init?(_ fits: [RowFit], unit: Float, firstSlice: Int, asksForFloat: Bool = false) {
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
    let float = fits.count(where: \.isFloat)
    floatSlices = float
    precision = asksForFloat || float == fits.count ? "float" : float == 0 ? "fixed" : "mixed"
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
        : "\(counted(float, "slice was", "slices were")) projected in float, because some bins are too many times "
          + "their noise for fixed point: outliers (--zingers), or rays that meet next to nothing of the disk "
          + "(--disk-mask), are likely reasons; or because subsets have more angles than fixed point holds at this "
          + "width",
      outgrown == 0
        ? nil
        : "\(counted(outgrown, "projection of a slice was", "projections of slices were")) made once more, because "
          + "voxels had outgrown fixed point",
    ]
    let known = parts.compactMap(\.self)
    return known.isEmpty ? nil : known.joined(separator: "; ")
  }

  /// How slices were projected, in a word or two; nil where it is not known.
  package var precisionWords: String? {
    switch precision {
    case "fixed": "projected in fixed point"
    case "float": "projected in float"
    case "mixed": "\(counted(floatSlices ?? 0, "slice")) projected in float, the others in fixed point"
    default: nil
    }
  }

  /// What a volume file says of it.
  package var facts: [String: String] {
    let known = [
      "line_integral_noise": noise, "penalty_weight": weight, "attenuation_scale": scale,
      "residual_over_noise": residualOverNoise, "residual_over_noise_worst": residualOverNoiseWorst,
    ].compactMapValues { $0 }
    let others = [
      "residual_over_noise_worst_slice": worstRow.map { "\($0)" }, "projection_precision": precision,
      "slices_in_float": precision == "mixed" ? floatSlices.map { "\($0)" } : nil,
    ].compactMapValues { $0 }
    return known.mapValues { "\($0)" }.merging(others) { $1 }
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
