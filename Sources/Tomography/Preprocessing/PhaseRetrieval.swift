/// What single-distance phase retrieval needs to know of the measurement.
public struct PhaseRetrieval: Sendable, Equatable {
  /// Of the X-rays, in keV.
  public var energy: Double
  /// From the sample to the detector, in mm.
  public var distance: Double
  /// Edge of a detector pixel, in µm.
  public var pixel: Double
  /// δ/β of the sample's one material, n = 1 − δ + iβ.
  public var deltaBeta: Double

  /// As given.
  public init(energy: Double, distance: Double, pixel: Double, deltaBeta: Double) {
    self.energy = energy
    self.distance = distance
    self.pixel = pixel
    self.deltaBeta = deltaBeta
  }

  /// h c in keV · µm: a photon of 1 keV is 1.24 nm long.
  private static let planck = 1.239_841_984e-3

  /// The wavelength in µm.
  public var wavelength: Double { Self.planck / energy }

  /// z δ / μ = z λ (δ/β) / 4π in square pixels: the filter is 1 / (1 + `area` · k²), k in radians a pixel. Its root is the distance over which
  /// it averages.
  public var area: Double { distance * 1000 * wavelength * deltaBeta / (4 * .pi * pixel * pixel) }
}
