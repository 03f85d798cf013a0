/// What single-distance phase retrieval needs to know of the measurement.
package struct PhaseRetrieval: Sendable, Equatable {
  /// Of the X-rays, in keV.
  package var energy: Double
  /// From the sample to the detector, in mm.
  package var distance: Double
  /// Edge of a detector pixel, in µm.
  package var pixel: Double
  /// δ/β of the sample's one material, n = 1 − δ + iβ.
  package var deltaBeta: Double

  /// As given.
  package init(energy: Double, distance: Double, pixel: Double, deltaBeta: Double) {
    self.energy = energy
    self.distance = distance
    self.pixel = pixel
    self.deltaBeta = deltaBeta
  }

  /// h c in keV · µm: a photon of 1 keV is 1.24 nm long.
  private static let planck = 1.239_841_984e-3

  /// The wavelength in µm.
  var wavelength: Double { Self.planck / energy }

  /// z δ / μ = z λ (δ/β) / 4π in square pixels: the filter is 1 / (1 + `area` · k²), k in radians a pixel. Its root is
  /// the distance over which it averages.
  package var area: Double { distance * 1000 * wavelength * deltaBeta / (4 * .pi * pixel * pixel) }
}
