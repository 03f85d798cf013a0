import Foundation
import Host
import Testing

@testable import Simulation
@testable import Tomography

/// Means of fields, with and without values that do not belong there.
@Suite struct FieldMeanTests {
  private static let columns = 64
  private static let seed: UInt64 = 21

  /// Flats of photons, each with a beam of another intensity, in a detector that is not the same everywhere.
  private func flats(_ count: Int, photons: Double = 2000) -> [[Double]] {
    var random = SplitMix64(seed: Self.seed)
    return (0..<count).map { field in
      let beam = 1 - 0.05 * Double(field)
      return (0..<Self.columns).map { column in
        let mean = photons * beam * (1 + 0.3 * sin(Double(column)))
        // Twelve uniform numbers are near enough to a normal one.
        let noise = (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0...1, using: &random) }
        return (mean + noise * mean.squareRoot()).rounded()
      }
    }
  }

  private func means(_ flats: [[Double]]) -> [Double] {
    accumulate(rows: 1, columns: Self.columns, flats: flats, darks: []).flatMeans()
  }

  private func plain(_ flats: [[Double]], at pixel: Int, without outlier: Int? = nil) -> Double {
    let values = flats.enumerated().filter { $0.0 != outlier }.map { $0.1[pixel] }
    return values.reduce(0, +) / Double(values.count)
  }

  @Test(arguments: [1, 2, 3, 5, 9], [40.0, 2000])
  func `Where nothing is an outlier the mean is that of all fields, bit for bit`(count: Int, photons: Double) {
    let flats = flats(count, photons: photons), means = means(flats)
    for pixel in 0..<Self.columns { #expect(means[pixel] == plain(flats, at: pixel), "seed \(Self.seed), \(pixel)") }
  }

  @Test(arguments: [3, 5, 9])
  func `A zinger in one of the fields is not in their mean`(count: Int) {
    var flats = flats(count)
    flats[1][20] *= 4
    let means = means(flats)
    for pixel in 0..<Self.columns {
      #expect(means[pixel] == plain(flats, at: pixel, without: pixel == 20 ? 1 : nil), "seed \(Self.seed), \(pixel)")
    }
  }

  @Test func `A value that is far too low is left out as well, with a zinger in another field beside it`() {
    var flats = flats(7)
    (flats[2][9], flats[5][9]) = (0, 60_000)
    let values = [0, 1, 3, 4, 6].map { flats[$0][9] }
    #expect(means(flats)[9] == values.reduce(0, +) / 5)
  }

  @Test func `Of two fields nobody can say which one is wrong`() {
    var flats = flats(2)
    flats[0][5] *= 10
    #expect(means(flats)[5] == plain(flats, at: 5))
  }

  @Test func `Darks have outliers too`() {
    var darks = [[Double]](repeating: [Double](repeating: 100, count: Self.columns), count: 5)
    darks[3][7] = 65_535
    let fields = accumulate(rows: 1, columns: Self.columns, flats: [], darks: darks)
    #expect(fields.darkMeans() == [Double](repeating: 100, count: Self.columns))
  }
}
