import Glibc
import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct PhotonNoiseTests {
  private static let columns = 300, angles = 40

  /// The beam at a pixel.
  private static func profile(_ pixel: Int) -> Double { 1 + 0.3 * sin(0.05 * Double(pixel)) }

  /// Flats of a detector with so many units a photon, whose beam drifts by up to 3 % from flat to flat.
  private static func fields(unitsPerPhoton: Double, photons: Double, count: Int, rows: Int = 2) -> FlatDarkAccumulator
  {
    var random = SplitMix64(seed: 11), fields = FlatDarkAccumulator(rows: rows, columns: columns)
    for flat in 0..<count {
      let beam = 1 + 0.03 * sin(Double(flat))
      let values = (0..<rows * columns).map { pixel in
        100 + unitsPerPhoton * random.poisson(mean: beam * photons * profile(pixel))
      }
      pixelBytes(values, as: .float32).withUnsafeBytes { fields.add(flat: $0, type: .float32) }
    }
    pixelBytes([Double](repeating: 100, count: rows * columns), as: .float32).withUnsafeBytes {
      fields.add(dark: $0, type: .float32)
    }
    return fields
  }

  private static func noise(_ fields: FlatDarkAccumulator, integral: Float) -> [Float]? {
    let scan = Scan(columns: columns, rows: fields.rows, thetas: (0..<angles).map { 0.07 * Double($0) })
    for slot in 0..<angles {
      scan.set(projection: [Float](repeating: integral, count: fields.rows * columns), slot: slot)
    }
    return PhotonNoise(fields)?.noise(
      block: 0, layout: scan.layout, sinogram: scan.sinogram.start, slots: angles, angles: scan.angles)
  }

  @Test(arguments: [0.5, 1, 4], [(500, 1), (10_000, 2)] as [(Double, Float)])
  func `the noise is that of the photons, whatever the detector's units and the beam's drift`(
    unitsPerPhoton: Double, beam: (photons: Double, integral: Float)
  ) throws {
    let fields = Self.fields(unitsPerPhoton: unitsPerPhoton, photons: beam.photons, count: 10)
    let noise = try #require(Self.noise(fields, integral: beam.integral))
    let inverses = (0..<Self.columns).map { 1 / Self.profile($0) }
    let meanInverse = inverses.reduce(0, +) / Double(Self.columns)
    let transmitted = exp(Double(beam.integral)) + 0.1
    let expected = (meanInverse / beam.photons * transmitted).squareRoot()
    #expect(abs(Double(noise[0]) / expected - 1) < 0.1, "\(noise[0]) for \(expected)")
  }

  @Test func `a row's noise does not depend on the rows beside it`() throws {
    let both = Self.fields(unitsPerPhoton: 2, photons: 800, count: 5)
    var alone = FlatDarkAccumulator(rows: 1, columns: Self.columns)
    var random = SplitMix64(seed: 11)
    for flat in 0..<5 {
      let beam = 1 + 0.03 * sin(Double(flat))
      let values = (0..<2 * Self.columns).map { pixel in
        100 + 2 * random.poisson(mean: beam * 800 * Self.profile(pixel))
      }
      pixelBytes(Array(values[..<Self.columns]), as: .float32).withUnsafeBytes { alone.add(flat: $0, type: .float32) }
    }
    pixelBytes([Double](repeating: 100, count: Self.columns), as: .float32).withUnsafeBytes {
      alone.add(dark: $0, type: .float32)
    }
    #expect(try #require(Self.noise(both, integral: 1))[0] == #require(Self.noise(alone, integral: 1))[0])
  }

  @Test func `one flat and flats without noise say nothing`() {
    #expect(PhotonNoise(Self.fields(unitsPerPhoton: 1, photons: 100, count: 1)) == nil)
    let flats = [[Double]](repeating: [Double](repeating: 9, count: 4), count: 3)
    #expect(PhotonNoise(accumulate(rows: 1, columns: 4, flats: flats, darks: [])) == nil)
  }
}
