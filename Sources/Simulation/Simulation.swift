package import Tomography

/// A virtual detector: what it looks at, and how.
package struct Simulation: Sendable {
  /// What is measured.
  package enum Sample: Sendable {
    /// A phantom with exact line integrals.
    case phantom(any Phantom)
    /// A volume in an HDF5 file, attenuation per pixel, forward-projected.
    case volume(path: String)
  }

  /// What the detector delivers.
  package enum Signal: Sendable {
    /// 16-bit counts with Poisson noise, and flat and dark fields.
    case counts(photons: Double, darkLevel: Double, flats: Int, darks: Int, seed: UInt64)
    /// Line integrals as 32-bit floats, without noise.
    case lineIntegrals
  }

  /// What is measured.
  var sample: Sample
  /// Detector rows and columns.
  package var rows: Int
  /// Detector columns.
  package var columns: Int
  /// Degrees.
  package var thetas: [Double]
  /// Pixels from the detector's left edge.
  var rotationAxis: Double
  /// What the detector delivers.
  var signal: Signal

  /// A virtual detector.
  package init(sample: Sample, rows: Int, columns: Int, thetas: [Double], rotationAxis: Double, signal: Signal) {
    self.sample = sample
    self.rows = rows
    self.columns = columns
    self.thetas = thetas
    self.rotationAxis = rotationAxis
    self.signal = signal
  }

  /// Evenly spaced angles from 0°, the last one a step before `range`, in the order in which they are measured.
  package static func evenThetas(count: Int, range: Double, order: AngleOrder = .sequential) -> [Double] {
    let thetas = (0..<count).map { Double($0) * range / Double(count) }
    return order.visits(thetas: thetas.map { $0 * .pi / 180 }).map { thetas[$0] }
  }
}
