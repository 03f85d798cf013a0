import Host

@testable import Simulation
@testable import Tomography

/// Slices of a foam that a camera with Poisson noise saw, reconstructed.
struct NoisyFoam {
  let columns: Int
  let count: Int
  let truth: [Float]
  let reconstruction: [Float]

  init(columns: Int, rows: Int, projections: Int, photons: Double, method: Method, iterations: Int) {
    self.columns = columns
    count = rows
    let foam = Foam(rows: rows, columns: columns, seed: 1)
    let detector = DetectorModel(rows: rows, columns: columns, incidentPhotons: photons, darkLevel: 20, seed: 3)
    let scan = Scan(
      columns: columns, rows: rows, thetas: (0..<projections).map { Double($0) * .pi / Double(projections) })
    let image = { (row: (Int, UnsafeMutableBufferPointer<UInt16>) -> Void) in
      var counts = [UInt16](repeating: 0, count: rows * columns)
      counts.withUnsafeMutableBufferPointer { counts in
        for index in 0..<rows {
          row(index, UnsafeMutableBufferPointer(rebasing: counts[index * columns..<(index + 1) * columns]))
        }
      }
      return counts
    }
    var fields = FlatDarkAccumulator(rows: rows, columns: columns)
    for index in 0..<40 {
      image { detector.flat(index: index, row: $0, into: $1) }.withUnsafeBytes { fields.add(flat: $0, type: .uint16) }
      image { detector.dark(index: index, row: $0, into: $1) }.withUnsafeBytes { fields.add(dark: $0, type: .uint16) }
    }
    let correction = Correction(rows: rows, columns: columns, flats: fields, minusLog: true)
    var lines = [Float](repeating: 0, count: columns), corrected = [Float](repeating: 0, count: rows * columns)
    for (slot, theta) in scan.thetas.enumerated() {
      let counts = image { row, counts in
        lines.withUnsafeMutableBufferPointer { lines in
          foam.lineIntegrals(row: row, theta: theta, columns: columns, rotationAxis: Double(columns) / 2, into: lines)
          detector.projection(index: slot, row: row, lineIntegrals: UnsafeBufferPointer(lines), into: counts)
        }
      }
      _ = counts.withUnsafeBytes { correction.apply($0.baseAddress!, type: .uint16, into: &corrected) }
      scan.set(projection: corrected, slot: slot)
    }
    scan.solve(method, iterations: iterations)
    reconstruction = (0..<rows).flatMap { scan.slice($0) }
    truth = (0..<rows).flatMap { row in
      var slice = [Float](repeating: 0, count: columns * columns)
      slice.withUnsafeMutableBufferPointer { foam.slice(row: row, columns: columns, supersampling: 4, into: $0) }
      return slice
    }
  }

  /// PSNR in decibels of slice `row`, inside 0.475 columns.
  func quality(_ slices: [Float], row: Int) -> Double {
    let range = row * columns * columns..<(row + 1) * columns * columns
    return slices.withUnsafeBufferPointer { slices in
      truth.withUnsafeBufferPointer {
        psnr(
          UnsafeBufferPointer(rebasing: slices[range]), reference: UnsafeBufferPointer(rebasing: $0[range]),
          columns: columns,
          radiusFraction: 0.475)
      }
    }
  }
}

extension Denoiser {
  /// All slices of a stack, denoised.
  func apply(_ stack: [Float], executor: some Executor = SerialExecutor()) -> [Float] {
    var output = [Float](repeating: .nan, count: stack.count)
    stack.withUnsafeBufferPointer {
      apply($0, range: 0..<$0.count / (columns * columns), into: &output, executor: executor)
    }
    return output
  }
}
