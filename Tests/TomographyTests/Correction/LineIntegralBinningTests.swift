import Host
import PhantomSupport
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct LineIntegralBinningTests {
  private func binned(_ values: [Float], rows: Int, columns: Int, by factor: Int) -> [Float] {
    let count = (rows + factor - 1) / factor * (columns / factor)
    return [Float](unsafeUninitializedCapacity: count) { buffer, size in
      values.withUnsafeBufferPointer {
        binLineIntegrals($0.baseAddress!, rows: rows, columns: columns, by: factor, into: buffer.baseAddress!)
      }
      size = count
    }
  }

  @Test(arguments: [2, 4, 8], [(1, 8), (3, 9), (8, 16), (13, 23), (16, 31)])
  func `Each is the mean of what it covers, the last rows too, and columns without a partner are left out`(
    factor: Int, shape: (rows: Int, columns: Int)
  ) {
    var random = SplitMix64(seed: 7)
    let values = (0..<shape.rows * shape.columns).map { _ in Float(random.unit()) }
    let columns = shape.columns / factor
    let expected = (0..<(shape.rows + factor - 1) / factor).flatMap { row in
      (0..<columns).map { column -> Double in
        let rows = row * factor..<min(shape.rows, (row + 1) * factor)
        let covered = rows.flatMap { y in
          (column * factor..<(column + 1) * factor).map { Double(values[y * shape.columns + $0]) }
        }
        return covered.reduce(0, +) / Double(covered.count)
      }
    }
    let found = binned(values, rows: shape.rows, columns: shape.columns, by: factor)
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 1e-6) }
  }

  private static let shapes = [
    Ellipse(x: 0.05, y: -0.02, a: 0.78, b: 0.72, angle: 0.3, value: 1),
    Ellipse(x: -0.2, y: 0.25, a: 0.2, b: 0.12, angle: 1, value: -0.6),
    Ellipse(x: 0.35, y: -0.2, a: 0.12, b: 0.25, angle: 0.4, value: 0.8),
    Ellipse(x: 0.1, y: 0.45, a: 0.1, b: 0.08, angle: 0, value: 0.5),
  ]

  /// The root of the mean square of an error inside of the disk, over the truth's largest value.
  private func error(_ slice: [Float], _ truth: [Float], columns: Int) -> Double {
    let disk = DiskMask(columns: columns, isDisk: true), scale = Double(truth.max() ?? 1)
    let inside = (0..<columns).flatMap { row in disk.columns(row: row).map { row * columns + $0 } }
    let sum = inside.reduce(0.0) { $0 + Double((slice[$1] - truth[$1]) * (slice[$1] - truth[$1])) }
    return (sum / Double(inside.count)).squareRoot() / scale
  }

  private func reconstruct(_ sinogram: [Float], columns: Int, axis: Double, thetas: [Double]) -> [Float] {
    let scan = Scan(columns: columns, axis: axis, thetas: thetas)
    for slot in thetas.indices {
      scan.set(projection: Array(sinogram[slot * columns..<(slot + 1) * columns]), slot: slot)
    }
    scan.solve(.sirt(SIRTOptions()), iterations: 120)
    return scan.slice()
  }

  /// The oracle: the mean of factor² true voxels, and the axis at a / factor. Of 32 columns edges are a larger part.
  @Test(arguments: [2, 4], [64.0, 61.3]) func `A binned phantom is reconstructed about as well as the phantom`(
    factor: Int, axis: Double
  ) {
    let columns = 128, thetas = (0..<180).map { Double($0) * .pi / 180 }
    let phantom = EllipsePhantom(shapes: Self.shapes)
    let sinogram = phantom.sinogram(thetas: thetas, columns: columns, rotationAxis: axis, samplesPerBin: 4)
    let full = reconstruct(sinogram, columns: columns, axis: axis, thetas: thetas)
    let fewer = columns / factor
    let lines = thetas.indices.flatMap { slot in
      binned(Array(sinogram[slot * columns..<(slot + 1) * columns]), rows: 1, columns: columns, by: factor)
    }
    let coarse = reconstruct(lines, columns: fewer, axis: axis / Double(factor), thetas: thetas)
    // In 1/pixel of the detector.
    let scaled = coarse.map { $0 / Float(factor) }
    let truth = phantom.truth(columns: columns)
    let coarseTruth = (0..<fewer * fewer).map { pixel -> Float in
      let (y, x) = (pixel / fewer * factor, pixel % fewer * factor)
      let covered = (y..<y + factor).flatMap { row in (x..<x + factor).map { truth[row * columns + $0] } }
      return covered.reduce(0, +) / Float(covered.count)
    }
    let (whole, part) = (error(full, truth, columns: columns), error(scaled, coarseTruth, columns: fewer))
    #expect(part < (factor == 2 ? 1.15 : 1.7) * whole, "factor \(factor), axis \(axis): \(part) beside \(whole)")
    let shifted = reconstruct(lines, columns: fewer, axis: (axis - 0.5) / Double(factor) + 0.5, thetas: thetas)
    let wrong = error(shifted.map { $0 / Float(factor) }, coarseTruth, columns: fewer)
    #expect(wrong > 1.3 * part, "half a pixel does not matter: \(wrong) beside \(part)")
  }
}
