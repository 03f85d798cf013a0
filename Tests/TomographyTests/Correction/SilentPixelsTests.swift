import Foundation
import Host
import Testing

@testable import Tomography

/// Pixels that are at or below the dark field in every projection.
@Suite struct SilentPixelsTests {
  /// Flats of 200 and darks of 100, two rows of five pixels.
  private let correction = Correction(
    rows: 2, columns: 5,
    flats: accumulate(
      rows: 2, columns: 5, flats: [[Double](repeating: 200, count: 10)], darks: [[Double](repeating: 100, count: 10)]),
    minusLog: true)

  private func noted(_ projections: [[Double]]) -> SilentPixels {
    var silent = SilentPixels(rows: 2, columns: 5)
    for counts in projections {
      pixelBytes(counts, as: .uint16).withUnsafeBytes {
        correction.note($0.baseAddress!, type: .uint16, in: &silent)
      }
    }
    return silent
  }

  private func corrected(_ counts: [Double], _ silent: SilentPixels?, number: Int = .max) -> (
    [Float], CorrectionCounts
  ) {
    var output = [Float](repeating: -1, count: 10)
    let replaced = pixelBytes(counts, as: .uint16).withUnsafeBytes { bytes in
      output.withUnsafeMutableBufferPointer {
        correction.apply(bytes.baseAddress!, type: .uint16, into: $0.baseAddress!, silent: silent, number: number)
      }
    }
    return (output, replaced)
  }

  /// Half of the beam everywhere but at some pixels.
  private func half(_ others: [Int: Double]) -> [Double] { (0..<10).map { others[$0] ?? 150 } }

  @Test func `A pixel that is never above the dark field takes its neighbours' mean, one that was once is clamped`() {
    let silent = noted([half([2: 50, 7: 90]), half([2: 100, 7: 101]), half([2: 0, 7: 80])])
    #expect(correction.silentCount(silent) == 1)
    let (output, replaced) = corrected(half([2: 50, 7: 90]), silent)
    let (value, floor) = (-log(Float(0.5)), -log(Correction.transmissionFloor))
    for pixel in 0..<10 { #expect(abs(output[pixel] - (pixel == 7 ? floor : value)) < 1e-5, "\(pixel)") }
    #expect(replaced == CorrectionCounts(clamped: 1))
    // Without it the column is a line integral of nothing.
    #expect(corrected(half([2: 50, 7: 90]), nil).1 == CorrectionCounts(clamped: 2))
  }

  @Test func `A silent pixel that shows something after all is used`() {
    let silent = noted([half([2: 50]), half([2: 50])])
    let (output, replaced) = corrected(half([2: 200]), silent)
    #expect(abs(output[2]) < 1e-6 && replaced == CorrectionCounts())
  }

  @Test func `A projection that is corrected again knows what was known when it came, and no more`() {
    // Opaque matter that moves on: after the first projection nobody can tell it from a broken pixel.
    let projections = [half([2: 50]), half([2: 50]), half([2: 150]), half([2: 50])]
    var known: [[Float]] = []
    for count in 1...4 {
      known.append(corrected(projections[count - 1], noted(Array(projections[..<count])), number: count - 1).0)
    }
    let silent = noted(projections)
    for (number, counts) in projections.enumerated() {
      #expect(corrected(counts, silent, number: number).0 == known[number], "\(number)")
    }
    #expect(correction.silentCount(silent) == 0 && known[3][2] > 11)
  }

  @Test func `Dead pixels are not counted as silent too`() {
    let dead = Correction(
      rows: 1, columns: 3, flats: accumulate(rows: 1, columns: 3, flats: [[200, 100, 200]], darks: [[100, 100, 100]]),
      minusLog: true)
    var silent = SilentPixels(rows: 1, columns: 3)
    pixelBytes([100, 100, 150], as: .uint16).withUnsafeBytes {
      dead.note($0.baseAddress!, type: .uint16, in: &silent)
    }
    #expect(dead.deadPixelCount == 1 && dead.silentCount(silent) == 1)
  }
}
