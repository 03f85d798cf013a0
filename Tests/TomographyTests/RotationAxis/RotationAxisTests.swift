import Foundation
import Host
import PhantomSupport
import Testing

@testable import Simulation
@testable import Tomography

struct RotationAxisTests {
  /// A sample, how noisy, and where the axis is, among 256 columns.
  struct Scan: Sendable, CustomTestStringConvertible {
    let sample: Sample
    let angles: Int
    let photons: Double?
    let axis: Double
    var testDescription: String {
      "\(sample), \(angles) angles, \(photons.map { "\($0) photons" } ?? "no noise"), axis \(axis)"
    }
  }

  enum Sample { case head, foam, smallHead, smallFoam }

  private func phantom(_ sample: Sample) -> any Phantom {
    switch sample {
    case .head: SheppLogan()
    case .foam: Foam(rows: 1, columns: 256, seed: 31, voidValue: 0)
    case .smallHead: shrunk(SheppLogan(), fullWidthIntegral: 16)
    case .smallFoam: shrunk(Foam(rows: 1, columns: 256, seed: 32, voidValue: 0), fullWidthIntegral: 6)
    }
  }

  /// A phantom of half the size, which stays on the detector with the axis a quarter of the width off the middle.
  private func shrunk(_ phantom: any Phantom, fullWidthIntegral: Double) -> EllipsePhantom {
    EllipsePhantom(
      fullWidthIntegral: fullWidthIntegral,
      shapes: phantom.ellipses(row: 0).map {
        Ellipse(x: $0.x / 2, y: $0.y / 2, a: $0.a / 2, b: $0.b / 2, angle: $0.angle, value: $0.value)
      })
  }

  /// Line integrals as a noisy detector gives them, with perfect flat fields.
  private func noisy(_ sinogram: [Float], photons: Double?, seed: UInt64) -> [Float] {
    guard let photons else { return sinogram }
    var random = SplitMix64(seed: seed)
    return sinogram.map { integral in
      let count = random.poisson(mean: photons * exp(-Double(integral)))
      return Float(-log(max(count, 0.5) / photons))
    }
  }

  private func estimate(_ sinogram: [Float], _ thetas: [Double], columns: Int) throws(RotationAxisError)
    -> RotationAxisEstimate
  {
    try sinogram.withUnsafeBufferPointer { buffer throws(RotationAxisError) in
      try estimateRotationAxis(sinogram: buffer, angles: thetas, columns: columns)
    }
  }

  /// Evenly over half a turn, the end left out.
  private func halfTurn(_ count: Int) -> [Double] { (0..<count).map { Double($0) * .pi / Double(count) } }

  @Test(arguments: [
    Scan(sample: .head, angles: 90, photons: nil, axis: 131.3),
    Scan(sample: .head, angles: 90, photons: 1_000, axis: 120.75),
    Scan(sample: .head, angles: 181, photons: 2_000, axis: 128),
    Scan(sample: .head, angles: 180, photons: nil, axis: 192),
    Scan(sample: .foam, angles: 90, photons: 2_000, axis: 125.5),
    Scan(sample: .foam, angles: 181, photons: 2_000, axis: 64.37),
    Scan(sample: .foam, angles: 721, photons: 500, axis: 139.9),
    Scan(sample: .smallHead, angles: 90, photons: nil, axis: 64),
    Scan(sample: .smallHead, angles: 181, photons: 2_000, axis: 191.6),
    Scan(sample: .smallFoam, angles: 90, photons: 2_000, axis: 191.6),
    Scan(sample: .smallFoam, angles: 360, photons: 1_000, axis: 64.37),
  ])
  func `the axis is found to a quarter of a pixel`(scan: Scan) throws {
    let seed: UInt64 = 33
    let thetas = halfTurn(scan.angles)
    let exact = phantom(scan.sample).sinogram(thetas: thetas, columns: 256, rotationAxis: scan.axis)
    let found = try estimate(noisy(exact, photons: scan.photons, seed: seed), thetas, columns: 256)
    #expect(abs(found.axis - scan.axis) < 0.25, "seed \(seed): \(found)")
  }

  @Test func `projections in any order, over a whole turn and twice at a theta give the axis too`() throws {
    let seed: UInt64 = 34
    var random = SplitMix64(seed: seed)
    var thetas = (0..<200).map { Double($0) * 2 * .pi / 199 - 1 }.shuffled(using: &random)
    thetas.append(thetas[7])
    let sinogram = phantom(.foam).sinogram(thetas: thetas, columns: 256, rotationAxis: 133.4)
    #expect(abs(try estimate(sinogram, thetas, columns: 256).axis - 133.4) < 0.25, "seed \(seed)")
  }

  @Test func `a detector of more than a thousand columns is found as exactly`() throws {
    let thetas = halfTurn(120)
    let sinogram = phantom(.head).sinogram(thetas: thetas, columns: 1_501, rotationAxis: 790.3)
    #expect(abs(try estimate(sinogram, thetas, columns: 1_501).axis - 790.3) < 0.25)
  }

  @Test func `a small detector is enough`() throws {
    let thetas = halfTurn(40)
    let sinogram = SheppLogan().sinogram(thetas: thetas, columns: 20, rotationAxis: 10.5, samplesPerBin: 8)
    let found = try estimate(sinogram, thetas, columns: 20)
    #expect(abs(found.axis - 10.5) < 0.25, "\(found)")
  }

  /// So many degrees in equal steps, the last one with them.
  private func span(_ degrees: Double, _ count: Int) -> [Double] {
    (0..<count).map { Double($0) * degrees / Double(count) * .pi / 180 }
  }

  @Test func `a scan of less than 120 degrees is refused`() {
    let thetas = span(119.5, 100)
    let sinogram = SheppLogan().sinogram(thetas: thetas, columns: 64, rotationAxis: 32)
    let error = #expect(throws: RotationAxisError.self) { try estimate(sinogram, thetas, columns: 64) }
    guard case .spanTooSmall(let degrees) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(abs(degrees - 119.5) < 1e-9)
    #expect(error?.description.contains("119.5 degrees") == true)
  }

  @Test(arguments: [(174.0, 30, 33.0), (180, 30, 33), (180, 36, 30.5), (150, 60, 32.2), (400, 80, 31.7)])
  func `no two projections need be half a turn apart`(degrees: Double, count: Int, axis: Double) throws {
    let thetas = span(degrees, count)
    let sinogram = SheppLogan().sinogram(thetas: thetas, columns: 64, rotationAxis: axis)
    let found = try estimate(sinogram, thetas, columns: 64)
    #expect(abs(found.axis - axis) < 0.25 && found.isSure, "\(found)")
  }

  @Test func `half acquisition over a turn has its axis far off`() throws {
    let thetas = span(360, 120), axis = 12.3
    // Half as wide as what the larger side sees, so that it stays on the detector there, and leaves it at the other.
    let phantom = EllipsePhantom(
      fullWidthIntegral: 2,
      shapes: [
        Ellipse(x: 0, y: 0, a: 1.4, b: 1.2, value: 1), Ellipse(x: 0.6, y: 0.3, a: 0.2, value: -0.8),
        Ellipse(x: -0.5, y: 0.6, a: 0.3, b: 0.15, angle: 1, value: 0.7), Ellipse(x: 0.1, y: -0.7, a: 0.1, value: 1),
      ])
    let sinogram = phantom.sinogram(thetas: thetas, columns: 64, rotationAxis: axis, samplesPerBin: 3)
    let found = try estimate(sinogram, thetas, columns: 64)
    #expect(abs(found.axis - axis) < 0.25 && found.isSure, "\(found)")
  }

  @Test func `a sample that leaves the detector at both sides, and no half turn, say where the axis is`() throws {
    let thetas = span(172, 120), axis = 50.4
    let phantom = EllipsePhantom(
      fullWidthIntegral: 1.5,
      shapes: [
        Ellipse(x: 0.1, y: 0, a: 1.3, b: 1.25, value: 1), Ellipse(x: 0.4, y: 0.3, a: 0.2, value: -0.8),
        Ellipse(x: -0.5, y: 0.2, a: 0.3, b: 0.15, angle: 1, value: 0.7), Ellipse(x: 0.1, y: -0.4, a: 0.1, value: 1),
        Ellipse(x: -0.2, y: 0.8, a: 0.15, value: -0.6),
      ])
    let sinogram = phantom.sinogram(thetas: thetas, columns: 96, rotationAxis: axis, samplesPerBin: 3)
    let found = try estimate(noisy(sinogram, photons: 20_000, seed: 36), thetas, columns: 96)
    #expect(abs(found.axis - axis) < 0.25 || !found.isSure, "\(found)")
    #expect(abs(found.axis - axis) < 1, "\(found)")
  }

  @Test func `the error says when noise hides the axis`() throws {
    let thetas = halfTurn(24), axis = 66.3
    let sinogram = SheppLogan().sinogram(thetas: thetas, columns: 128, rotationAxis: axis)
    let found = try? estimate(noisy(sinogram, photons: 3, seed: 37), thetas, columns: 128)
    #expect(found.map { abs($0.axis - axis) < 0.25 || !$0.isSure } ?? true, "\(String(describing: found))")
  }

  @Test func `a sinogram that says nothing is refused`() {
    let thetas = halfTurn(20)
    let unusable: [[Float]] = [
      Array(repeating: 0, count: 20 * 32), Array(repeating: 1.5, count: 20 * 32),
      Array(repeating: .nan, count: 20 * 32),
      (0..<20 * 32).map { $0 % 32 == 9 ? .greatestFiniteMagnitude : 0 },
    ]
    for sinogram in unusable {
      #expect(throws: RotationAxisError.self) { try estimate(sinogram, thetas, columns: 32) }
    }
    #expect(throws: RotationAxisError.self) { try estimate([0, 1, 2, 3, 4, 5, 6, 7], [0, 3.1], columns: 4) }
    #expect(throws: RotationAxisError.self) {
      try estimate(Array(repeating: 0, count: 32), [0, .nan, 1, 3.2], columns: 8)
    }
  }

  @Test func `a parabola's vertex is found through noise`() throws {
    let seed: UInt64 = 35
    var random = SplitMix64(seed: seed)
    let x = (-5...5).map { Double($0) * 0.4 }
    var squares = 0.0
    for _ in 0..<500 {
      let y = x.map { 3 + 0.8 * ($0 - 0.3) * ($0 - 0.3) + (random.unit() - 0.5) }
      let fit = try #require(Parabola(x: x, y: y))
      squares += (fit.vertex - 0.3) * (fit.vertex - 0.3) / 500
    }
    // σ of the slope over twice the curvature: √(1/12 / 17.6) / 1.6 = 0.043.
    #expect(squares.squareRoot() > 0.03 && squares.squareRoot() < 0.06, "seed \(seed): \(squares.squareRoot())")
    let exact = try #require(Parabola(x: [0, 1, 3, 4], y: [9, 4, 0, 1]))
    #expect(abs(exact.vertex - 3) < 1e-12)
    #expect(Parabola(x: [0, 1, 2, 3], y: [0, -1, -4, -9]) == nil)
  }
}
