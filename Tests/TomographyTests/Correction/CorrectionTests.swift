import Foundation
import Host
import Testing

@testable import Simulation
@testable import Tomography

struct CorrectionTests {
  @Test(arguments: PixelType.allCases)
  func `counts of every type become line integrals`(type: PixelType) {
    let seed: UInt64 = 11
    var random = SplitMix64(seed: seed)
    let (rows, columns) = (3, 37)
    func field(_ range: ClosedRange<Double>) -> [Double] {
      (0..<rows * columns).map { _ in Double.random(in: range, using: &random).rounded() }
    }
    let flats = (0..<4).map { _ in field(180...250) }
    let darks = (0..<3).map { _ in field(3...20) }
    let counts = field(40...250)
    let fields = accumulate(rows: rows, columns: columns, flats: flats, darks: darks, type: type)
    let correction = Correction(rows: rows, columns: columns, flats: fields, minusLog: true)
    let (output, replaced) = correct(counts, with: correction, type: type)
    for pixel in output.indices {
      let flat = flats.reduce(0) { $0 + $1[pixel] } / 4
      let dark = darks.reduce(0) { $0 + $1[pixel] } / 3
      let expected = -log((counts[pixel] - dark) / (flat - dark))
      #expect(abs(Double(output[pixel]) - expected) < 1e-6, "seed \(seed), pixel \(pixel)")
    }
    #expect(correction.deadPixelCount == 0)
    #expect(replaced == CorrectionCounts())
  }

  @Test func `the logarithm is right to two units in the last place`() {
    let seed: UInt64 = 12
    var random = SplitMix64(seed: seed)
    let special: [Float] = [
      Correction.transmissionFloor, 0.5, 0.70710677, 0.7071068, 1, 1.4142135, 1.4142137, 2, 65_535, 3e38,
    ]
    let near = (-50...50).map { 1 + Float($0) * 0x1p-23 }
    let inputs = special + near + (0..<20_000).map { _ in Float(exp(Double.random(in: -11.7...11, using: &random))) }
    var outputs = inputs
    let clamped = outputs.withUnsafeMutableBufferPointer {
      minusLog($0.baseAddress!, count: $0.count, floor: Correction.transmissionFloor)
    }
    #expect(clamped == 0)
    for (input, output) in zip(inputs, outputs) {
      let expected = -log(Double(input))
      #expect(abs(Double(output) - expected) <= 2 * Double(Float(expected).ulp), "seed \(seed): \(input)")
    }
  }

  @Test func `without flats nothing is divided and without darks nothing is subtracted`() {
    let counts = [0.5, -2, 3, 7]
    let empty = FlatDarkAccumulator(rows: 2, columns: 2)
    #expect(correct(counts, with: Correction(rows: 2, columns: 2, flats: empty, minusLog: false)).0 == [0.5, -2, 3, 7])
    let darks = accumulate(rows: 2, columns: 2, flats: [], darks: [[1, 1, 2, 2]])
    #expect(
      correct(counts, with: Correction(rows: 2, columns: 2, flats: darks, minusLog: false)).0 == [-0.5, -3, 1, 5])
    let flats = accumulate(rows: 2, columns: 2, flats: [[1, 2, 4, 8]], darks: [])
    #expect(
      correct(counts, with: Correction(rows: 2, columns: 2, flats: flats, minusLog: false)).0 == [0.5, -1, 0.75, 0.875])
  }

  @Test func `between flats before and behind, each projection has the one of its time`() {
    func flats(_ value: Double) -> FlatDarkAccumulator {
      accumulate(rows: 1, columns: 3, flats: [[value + 2, value + 2, 2]], darks: [])
    }
    let (before, behind) = (flats(100), flats(50))
    let fields = accumulate(
      rows: 1, columns: 3, flats: [[102, 102, 2], [52, 52, 2]], darks: [[2, 2, 2]])
    let correction = Correction(
      rows: 1, columns: 3, flats: fields, ends: (before, behind), minusLog: false)
    let mean = Correction(rows: 1, columns: 3, flats: fields, minusLog: false)
    for (time, beam) in [(Float(0), Float(100)), (0.5, 75), (1, 50)] {
      var output = [Float](repeating: -1, count: 3)
      pixelBytes([77, 27, 3], as: .float32).withUnsafeBytes { bytes in
        output.withUnsafeMutableBufferPointer {
          _ = correction.apply(bytes.baseAddress!, type: .float32, into: $0.baseAddress!, time: time)
        }
      }
      #expect(output == [75 / beam, 25 / beam, 25 / beam], "\(time)")
    }
    #expect(correction.deadPixelCount == 1 && correct([77, 27, 3], with: mean).0 == [1, 1.0 / 3, 1.0 / 3])
    // With flats at one end only, it is their mean.
    let none = FlatDarkAccumulator(rows: 1, columns: 3)
    let one = Correction(rows: 1, columns: 3, flats: fields, ends: (before, none), minusLog: false)
    #expect(correct([77, 27, 3], with: one).0 == [1, 1.0 / 3, 1.0 / 3])
  }

  @Test func `results below zero become zero and are counted where that is asked for`() {
    let empty = FlatDarkAccumulator(rows: 2, columns: 3)
    let correction = Correction(rows: 2, columns: 3, flats: empty, minusLog: false, nonNegative: true)
    let (output, replaced) = correct([0.5, -2, -0.0, 7, .nan, -3], with: correction)
    #expect(output == [0.5, 0, 0, 7, 2, 0] && replaced == CorrectionCounts(nonFinite: 1, negative: 2))
  }

  @Test func `dead pixels take the mean of their valid neighbours and are counted once`() {
    // Column 0: dark above white; columns 3 and 4: dark equal to white, beside each other.
    let flat = [10.0, 10, 10, 5, 5, 10]
    let dark = [20.0, 0, 0, 5, 5, 0]
    let correction = Correction(
      rows: 1, columns: 6, flats: accumulate(rows: 1, columns: 6, flats: [flat], darks: [dark]), minusLog: false)
    #expect(correction.deadPixelCount == 3)
    let (output, replaced) = correct([99, 4, 2, 99, .nan, 8], with: correction)
    #expect(output == [0.4, 0.4, 0.2, 0.5, 0.5, 0.8])
    #expect(replaced == CorrectionCounts())
  }

  @Test func `NaN and infinite pixels take the mean of their neighbours and are counted`() {
    let fields = accumulate(rows: 2, columns: 5, flats: [Array(repeating: 4, count: 10)], darks: [])
    let correction = Correction(rows: 2, columns: 5, flats: fields, minusLog: true)
    let (output, replaced) = correct([.nan, 4, .infinity, -.infinity, 1, 2, .nan, 1, .nan, .nan], with: correction)
    let (half, quarter) = (Float(log(2.0)), Float(log(4.0)))
    let expected = [0, 0, quarter / 2, quarter / 2, quarter, half, (half + quarter) / 2, quarter, quarter, quarter]
    for (value, wanted) in zip(output, expected) { #expect(abs(value - wanted) < 1e-6) }
    #expect(replaced == CorrectionCounts(nonFinite: 6, clamped: 0))
  }

  @Test func `a row without any valid pixel is zero`() {
    let fields = accumulate(rows: 2, columns: 3, flats: [[2, 2, 2, 2, 2, 2]], darks: [])
    let correction = Correction(rows: 2, columns: 3, flats: fields, minusLog: true)
    let (output, replaced) = correct([.nan, .nan, .infinity, 2, 2, 2], with: correction)
    #expect(output == [0, 0, 0, 0, 0, 0])
    #expect(replaced.nonFinite == 3)
  }

  @Test func `transmissions below the floor are raised to it and counted`() {
    let fields = accumulate(rows: 1, columns: 4, flats: [[100, 100, 100, 100]], darks: [[10, 10, 10, 10]])
    let correction = Correction(rows: 1, columns: 4, flats: fields, minusLog: true)
    let (output, replaced) = correct([10, 3, 10.0001, 100], with: correction)
    let ceiling = Float(17 * log(2.0))
    #expect(abs(output[0] - ceiling) < 1e-5 && output[1] == output[0] && output[2] == output[0])
    #expect(output[3] == 0)
    #expect(replaced == CorrectionCounts(nonFinite: 0, clamped: 3))
  }

  @Test func `NaN pixels of flats and darks are left out of their means`() {
    let flats: [[Double]] = [[8, .nan, .nan], [4, 6, .infinity]]
    let darks: [[Double]] = [[.nan, 2, 0], [2, 2, .nan]]
    let correction = Correction(
      rows: 1, columns: 3, flats: accumulate(rows: 1, columns: 3, flats: flats, darks: darks), minusLog: false)
    #expect(correction.deadPixelCount == 1)
    #expect(correct([4, 4, 4], with: correction).0 == [0.5, 0.5, 0.5])
  }

  @Test func `the order of integer fields and the division of rows do not change a bit`() {
    let seed: UInt64 = 13
    var random = SplitMix64(seed: seed)
    let (rows, columns) = (6, 29)
    func field(_ top: UInt64) -> [Double] { (0..<rows * columns).map { _ in Double(random.next() % top) } }
    let flats = (0..<7).map { _ in field(60_000) }
    let darks = (0..<5).map { _ in field(300) }
    let counts = field(40_000)
    let whole = Correction(
      rows: rows, columns: columns,
      flats: accumulate(rows: rows, columns: columns, flats: flats, darks: darks, type: .uint16),
      minusLog: true)
    let expected = correct(counts, with: whole, type: .uint16)

    let reordered = accumulate(
      rows: rows, columns: columns, flats: flats.shuffled(using: &random), darks: darks.reversed(), type: .uint16)
    let shuffled = correct(
      counts, with: Correction(rows: rows, columns: columns, flats: reordered, minusLog: true), type: .uint16)
    #expect(shuffled.0 == expected.0 && shuffled.1 == expected.1, "seed \(seed)")

    var (parts, total) = ([Float](), CorrectionCounts())
    for range in [0..<1, 1..<4, 4..<6] {
      let pixels = range.lowerBound * columns..<range.upperBound * columns
      let fields = accumulate(
        rows: range.count, columns: columns, flats: flats.map { Array($0[pixels]) },
        darks: darks.map { Array($0[pixels]) }, type: .uint16)
      let correction = Correction(rows: range.count, columns: columns, flats: fields, minusLog: true)
      let (part, replaced) = correct(Array(counts[pixels]), with: correction, type: .uint16)
      parts += part
      total += replaced
    }
    #expect(parts == expected.0 && total == expected.1, "seed \(seed)")
  }
}
