import Host
import Testing

@testable import Simulation
@testable import Tomography

struct DetectorModelTests {
  private let detector = DetectorModel(rows: 4, columns: 128, incidentPhotons: 5_000, darkLevel: 100, seed: 21)

  private func counts(_ fill: (UnsafeMutableBufferPointer<UInt16>) -> Void) -> [UInt16] {
    [UInt16](unsafeUninitializedCapacity: 128) { buffer, count in
      buffer.initialize(repeating: 0)
      fill(buffer)
      count = 128
    }
  }

  @Test(arguments: [0, 0.3, 4, 49.9, 50.1, 1_000])
  func `Poisson numbers have the mean and the variance asked for`(mean: Double) {
    let seed: UInt64 = 22
    var random = SplitMix64(seed: seed)
    let count = 40_000
    let numbers = (0..<count).map { _ in random.poisson(mean: mean) }
    let average = numbers.reduce(0, +) / Double(count)
    let variance = numbers.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(count)
    // Five standard errors: √(m/n) of the mean, √((2m² + m)/n) of the variance.
    #expect(abs(average - mean) <= 5 * (mean / Double(count)).squareRoot(), "seed \(seed)")
    #expect(abs(variance - mean) <= 5 * ((2 * mean * mean + mean) / Double(count)).squareRoot(), "seed \(seed)")
    #expect(numbers.allSatisfy { $0 >= 0 && $0 == $0.rounded() }, "seed \(seed)")
  }

  @Test func `counts do not depend on the order of calls`() {
    let first = counts { detector.flat(index: 3, row: 2, into: $0) }
    _ = counts { detector.dark(index: 0, row: 0, into: $0) }
    #expect(counts { detector.flat(index: 3, row: 2, into: $0) } == first)
    #expect(counts { detector.flat(index: 2, row: 3, into: $0) } != first)
    #expect(counts { detector.dark(index: 3, row: 2, into: $0) } != first)
    let other = DetectorModel(rows: 4, columns: 128, incidentPhotons: 5_000, darkLevel: 100, seed: 22)
    #expect(counts { other.flat(index: 3, row: 2, into: $0) } != first)
  }

  @Test func `correction brings the line integrals back`() {
    let integrals = (0..<128).map { Float($0) / 64 }
    var fields = FlatDarkAccumulator(rows: 1, columns: 128)
    for index in 0..<200 {
      counts { detector.flat(index: index, row: 1, into: $0) }.withUnsafeBytes { fields.add(flat: $0, type: .uint16) }
      counts { detector.dark(index: index, row: 1, into: $0) }.withUnsafeBytes { fields.add(dark: $0, type: .uint16) }
    }
    let correction = Correction(rows: 1, columns: 128, flats: fields, minusLog: true)
    var sums = [Float](repeating: 0, count: 128)
    for index in 0..<200 {
      let projection = counts { counts in
        integrals.withUnsafeBufferPointer { detector.projection(index: index, row: 1, lineIntegrals: $0, into: counts) }
      }
      var line = [Float](repeating: -1, count: 128)
      let replaced = projection.withUnsafeBytes { counts in
        line.withUnsafeMutableBufferPointer {
          correction.apply(counts.baseAddress!, type: .uint16, into: $0.baseAddress!)
        }
      }
      #expect(replaced == CorrectionCounts())
      for bin in 0..<128 { sums[bin] += line[bin] / 200 }
    }
    // The noise of 200 projections at 13 % of 5,000 photons is 0.004 at most.
    for bin in 0..<128 { #expect(abs(sums[bin] - integrals[bin]) < 0.02, "seed 21, bin \(bin)") }
  }

  @Test func `counts are cut off at the detector's full scale`() {
    let bright = DetectorModel(rows: 1, columns: 128, incidentPhotons: 65_000, darkLevel: 30_000, seed: 23)
    #expect(counts { bright.flat(index: 0, row: 0, into: $0) }.contains(65_535))
  }
}
