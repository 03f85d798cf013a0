import Testing

@testable import Simulation
@testable import Tomography

@Suite struct FoamReconstructionTests {
  private static let columns = 256
  private static let foam = Foam(rows: 1, columns: columns, seed: 1)
  private static let thetas = (0..<180).map { Double($0) * .pi / 180 }
  private static let truth: [Float] = {
    var truth = [Float](repeating: 0, count: columns * columns)
    truth.withUnsafeMutableBufferPointer { foam.slice(row: 0, columns: columns, supersampling: 8, into: $0) }
    return truth
  }()
  private static let lines = thetas.map { theta in
    var line = [Float](repeating: 0, count: columns)
    line.withUnsafeMutableBufferPointer {
      foam.lineIntegrals(row: 0, theta: theta, columns: columns, rotationAxis: Double(columns) / 2, into: $0)
    }
    return line
  }

  /// PSNR in decibels of a method's volume on exact line integrals of a foam, inside 0.475 columns.
  private static func quality(_ method: Method, iterations: Int) -> (psnr: Double, residual: Residual) {
    let scan = Scan(columns: columns, thetas: thetas)
    for (slot, line) in lines.enumerated() { scan.set(projection: line, slot: slot) }
    let residual = scan.solve(method, iterations: iterations)
    let quality = scan.slice().withUnsafeBufferPointer { slice in
      truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: columns, radiusFraction: 0.475) }
    }
    return (quality, residual)
  }

  /// 24.77 dB is what ASTRA's SIRT (`linear` projector, 50 iterations from zero) gets on the same line integrals and
  /// truth.
  @Test func `SIRT-50 of a foam is as good as a public code's`() {
    let (quality, residual) = Self.quality(.sirt(SIRTOptions()), iterations: 50)
    #expect(residual.relative < 0.01)
    #expect(quality >= 24 && abs(quality - 24.77) < 0.3, "\(quality) dB")
  }

  /// Public codes with the plain ramp get 34.1 and 34.7 dB, this one 35.5.
  @Test(arguments: zip(FBPOptions.Filter.allCases, [33, 33, 28.5, 26]))
  func `FBP of a foam is as good as a public code's`(filter: FBPOptions.Filter, least: Double) {
    let (quality, _) = Self.quality(.filteredBackprojection(FBPOptions(filter: filter)), iterations: 1)
    #expect(quality >= least, "\(filter): \(quality) dB")
  }

  @Test(arguments: [nil, .quadratic(strength: 1), .hybrid(strength: 1, delta: 0.1)] as [EMOptions.Penalty?])
  func `EM comes nearer to a foam than SIRT`(penalty: EMOptions.Penalty?) {
    let (quality, residual) = Self.quality(.expectationMaximisation(EMOptions(penalty: penalty)), iterations: 50)
    #expect(residual.relative < 0.01)
    #expect(quality >= 28, "\(penalty.debugDescription): \(quality) dB")
  }
}
