import Glibc
import Host

/// A slice whose truth is known, with its line integrals: what the quality of a reconstruction is measured on.
package struct KnownSlice: Sendable {
  /// What there is to see.
  package enum Kind: String, CaseIterable, Sendable {
    /// `Foam` with empty voids.
    case foam
    /// `CrackedDisk`.
    case cracks
    /// The same with cracks of a quarter of the contrast, all of the thinnest.
    case faintCracks = "faint-cracks"
    /// `SmoothDisk`.
    case smooth
    /// `Rock`.
    case rock
    /// `SheppLogan`.
    case sheppLogan = "shepp-logan"
  }

  /// How the line integrals are measured.
  package enum Noise: Sendable, Equatable {
    /// Normal noise, of a part of the largest line integral.
    case relative(Double)
    /// So many photons a pixel without a sample, of which the densest path lets exp(−1.5) through, and 20 flats.
    case photons(Double)
  }

  /// Attenuation per pixel, row 0 on top.
  package let truth: [Float]
  /// What of it detail is not looked for in; empty for nothing.
  package let background: [Float]
  /// Pixels of an edge, and bins of a projection.
  package let columns: Int
  private let lines: [Float]

  private static let (supersampling, samplesPerBin) = (8, 4)
  private static let (depth, flats) = (1.5, 20.0)

  /// The slice of a seed, seen at `thetas` (radians) with the axis in the middle. Exact means over the detector's bins,
  /// but for rock.
  package init(_ kind: Kind, columns: Int, thetas: [Double], seed: UInt64) {
    self.columns = columns
    let phantom: any Phantom
    var background: [Float] = []
    switch kind {
    case .rock:
      let rock = Rock(columns: columns, seed: seed)
      (truth, self.background, lines) = (rock.truth, [], rock.lines(thetas: thetas))
      return
    case .foam: phantom = Foam(rows: 1, columns: columns, seed: seed, voidValue: 0)
    case .smooth: phantom = SmoothDisk(seed: seed)
    case .sheppLogan: phantom = SheppLogan()
    case .cracks: phantom = CrackedDisk(columns: columns, contrast: .full, seed: seed)
    case .faintCracks:
      let disk = CrackedDisk(columns: columns, contrast: .faint, seed: seed)
      background = Self.slice(of: disk.withoutCracks, columns: columns)
      phantom = disk
    }
    truth = Self.slice(of: phantom, columns: columns)
    self.background = background
    lines = thetas.flatMap { Self.line(of: phantom, theta: $0, columns: columns) }
  }

  /// What `phantoms`, one for each of `thetas`, show of a sample that changes; the truth is that of the last one.
  init(_ phantoms: [some Phantom], columns: Int, thetas: [Double]) {
    precondition(phantoms.count == thetas.count, "\(phantoms.count) phantoms at \(thetas.count) thetas")
    self.columns = columns
    truth = phantoms.last.map { Self.slice(of: $0, columns: columns) } ?? []
    background = []
    lines = zip(phantoms, thetas).flatMap { Self.line(of: $0, theta: $1, columns: columns) }
  }

  private static func line(of phantom: some Phantom, theta: Double, columns: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: columns) { buffer, count in
      phantom.lineIntegrals(
        row: 0, theta: theta, columns: columns, rotationAxis: Double(columns) / 2, samplesPerBin: samplesPerBin,
        into: UnsafeMutableBufferPointer(rebasing: buffer[..<columns]))
      count = columns
    }
  }

  static func slice(of phantom: some Phantom, columns: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: columns * columns) { buffer, count in
      phantom.slice(
        row: 0, columns: columns, supersampling: supersampling,
        into: UnsafeMutableBufferPointer(rebasing: buffer[..<(columns * columns)]))
      count = columns * columns
    }
  }

  /// A measurement: angles × columns line integrals, and the noise σ that flats and counts tell of one. Each number has
  /// noise of its own. With `rings` the columns' gains are wrong by this part of them, the same in all projections.
  package func measured(
    _ noise: Noise, rings: Double = 0, seed: UInt64, number: Int
  ) -> (lines: [Float], noise: Float) {
    let (lines, sigma) = measured(noise, seed: seed, number: number)
    guard rings > 0 else { return (lines, sigma) }
    var random = SplitMix64(seed: seed, -number - 1)
    let errors = (0..<columns).map { _ in Float(-log(max(0.1, 1 + rings * random.normal()))) }
    return (lines.enumerated().map { $1 + errors[$0 % columns] }, sigma)
  }

  private func measured(_ noise: Noise, seed: UInt64, number: Int) -> (lines: [Float], noise: Float) {
    var random = SplitMix64(seed: seed, number + 1)
    let largest = Double(lines.max() ?? 0)
    switch noise {
    case .relative(let part):
      let sigma = part * largest
      return (lines.map { $0 + Float(sigma * random.normal()) }, Float(sigma))
    case .photons(let photons):
      let scale = Self.depth / max(largest, .leastNormalMagnitude)
      let flat = (0..<columns).map { _ in random.poisson(mean: photons * Self.flats) / Self.flats }
      var variance = 0.0
      let measured = lines.enumerated().map { index, line in
        let count = random.poisson(mean: photons * exp(-Double(line) * scale))
        variance += 1 / max(count, 1) + 1 / (photons * Self.flats)
        return Float(-log(max(count, 0.5) / max(flat[index % columns], 0.5)) / scale)
      }
      return (measured, Float((variance / Double(lines.count)).squareRoot() / scale))
    }
  }
}

extension SplitMix64 {
  /// A normal number (Box and Muller).
  fileprivate mutating func normal() -> Double {
    (-2 * log(1 - unit())).squareRoot() * cos(2 * .pi * unit())
  }
}
