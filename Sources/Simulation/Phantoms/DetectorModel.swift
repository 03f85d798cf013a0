import Glibc
import Host

/// A photon-counting camera behind a scintillator: turns line integrals into noisy 16-bit flat, dark and projection
/// counts.
///
/// A pixel's expectation is dark level + incident photons · profile · exp(−line integral), and its count is a Poisson
/// number of it, cut off at 65,535 as the electronics do. The profile is a smooth beam, brightest near the middle,
/// times the gain of the column: one column in about 50 is off by up to 10 %. Each row of each image has its own random
/// stream, so counts do not depend on the order of calls.
struct DetectorModel: Sendable {
  /// Detector rows.
  let rows: Int
  /// Detector columns.
  let columns: Int
  /// Photons a pixel counts where the beam is brightest, without a sample.
  let incidentPhotons: Double
  /// Mean count without a beam.
  let darkLevel: Double
  private let seed: UInt64
  private let columnGains: [Double]

  /// A camera of `rows` × `columns` pixels; the seed fixes its faulty columns and all its noise.
  init(rows: Int, columns: Int, incidentPhotons: Double, darkLevel: Double, seed: UInt64) {
    precondition(rows > 0 && columns > 0, "a detector of \(rows) × \(columns) pixels")
    precondition(incidentPhotons > 0 && incidentPhotons < 65_536, "\(incidentPhotons) incident photons")
    precondition(darkLevel >= 0 && darkLevel < 65_536, "dark level \(darkLevel)")
    self.rows = rows
    self.columns = columns
    self.incidentPhotons = incidentPhotons
    self.darkLevel = darkLevel
    self.seed = seed
    columnGains = (0..<columns).map { column in
      var random = SplitMix64(seed: seed, ImageKind.gain.rawValue, column)
      return random.unit() < 0.02 ? 0.9 + 0.2 * random.unit() : 1
    }
  }

  /// One row of the flat field `index`.
  func flat(index: Int, row: Int, into counts: UnsafeMutableBufferPointer<UInt16>) {
    fill(counts, kind: .flat, index: index, row: row) { column in profile(row: row, column: column) }
  }

  /// One row of the dark field `index`.
  func dark(index: Int, row: Int, into counts: UnsafeMutableBufferPointer<UInt16>) {
    fill(counts, kind: .dark, index: index, row: row) { _ in 0 }
  }

  /// One row of the projection `index`, from its `columns` line integrals.
  func projection(
    index: Int, row: Int, lineIntegrals: UnsafeBufferPointer<Float>, into counts: UnsafeMutableBufferPointer<UInt16>
  ) {
    precondition(lineIntegrals.count == columns, "\(lineIntegrals.count) line integrals for \(columns) columns")
    fill(counts, kind: .projection, index: index, row: row) { column in
      profile(row: row, column: column) * exp(-Double(lineIntegrals[column]))
    }
  }

  /// Expected photons of a pixel without a sample.
  private func profile(row: Int, column: Int) -> Double {
    let u = (Double(column) + 0.5) / Double(columns) - 0.45
    let v = (Double(row) + 0.5) / Double(rows) - 0.5
    return incidentPhotons * columnGains[column] / 1.1 * (1.1 - 0.6 * u * u - 0.4 * v * v)
  }

  private func fill(
    _ counts: UnsafeMutableBufferPointer<UInt16>, kind: ImageKind, index: Int, row: Int, photons: (Int) -> Double
  ) {
    precondition(
      counts.count == columns && row >= 0 && row < rows, "\(counts.count) counts for row \(row) of \(rows) × \(columns)"
    )
    var random = SplitMix64(seed: seed, kind.rawValue, index, row)
    for column in 0..<columns {
      // A volume may amplify. A mean of a million is so far above full scale that no more photons make a difference.
      counts[column] = UInt16(min(65_535, random.poisson(mean: min(1e6, darkLevel + photons(column)))))
    }
  }

  private enum ImageKind: Int { case gain, flat, dark, projection }
}

extension SplitMix64 {
  /// A Poisson number: exact, by searching the distribution upwards, for means to 50; above, the nearest integer to a
  /// normal number of the same mean and variance (Box and Muller), whose skewness would be less than 0.15.
  mutating func poisson(mean: Double) -> Double {
    precondition(mean >= 0 && mean < 1e9, "a Poisson mean of \(mean)")
    guard mean <= 50 else {
      let normal = (-2 * log(1 - unit())).squareRoot() * cos(2 * .pi * unit())
      return max(0, (mean + mean.squareRoot() * normal).rounded())
    }
    var remainder = unit()
    var probability = exp(-mean)
    var count = 0.0
    // 300 is 35 standard deviations above the largest mean: only rounding could lead beyond.
    while remainder >= probability, count < 300 {
      remainder -= probability
      count += 1
      probability *= mean / count
    }
    return count
  }
}
