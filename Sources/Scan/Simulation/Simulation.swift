import ScanFiles
public import Tomography

/// A virtual detector: what it looks at, and how.
public struct Simulation: Sendable {
  /// What is measured.
  public enum Sample: Sendable {
    /// A phantom with exact line integrals.
    case phantom(any Phantom)
    /// A volume in an HDF5 file, attenuation per pixel, forward-projected.
    case volume(path: String)
  }

  /// What the detector delivers.
  public enum Signal: Sendable {
    /// 16-bit counts with Poisson noise, and flat and dark fields.
    case counts(photons: Double, darkLevel: Double, flats: Int, darks: Int, seed: UInt64)
    /// Line integrals as 32-bit floats, without noise.
    case lineIntegrals
  }

  /// What is measured.
  public var sample: Sample
  /// Detector rows and columns.
  public var rows: Int
  /// Detector columns.
  public var columns: Int
  /// Degrees.
  public var thetas: [Double]
  /// Pixels from the detector's left edge.
  public var rotationAxis: Double
  /// What the detector delivers.
  public var signal: Signal

  /// A virtual detector.
  public init(sample: Sample, rows: Int, columns: Int, thetas: [Double], rotationAxis: Double, signal: Signal) {
    self.sample = sample
    self.rows = rows
    self.columns = columns
    self.thetas = thetas
    self.rotationAxis = rotationAxis
    self.signal = signal
  }

  /// Evenly spaced angles from 0°, the last one a step before `range`, in the order in which they are measured.
  public static func evenThetas(count: Int, range: Double, order: AngleOrder = .sequential) -> [Double] {
    let thetas = (0..<count).map { Double($0) * range / Double(count) }
    return order.visits(thetas: thetas.map { $0 * .pi / 180 }).map { thetas[$0] }
  }
}
