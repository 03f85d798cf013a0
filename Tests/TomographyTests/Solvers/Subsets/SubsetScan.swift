import Glibc
import Host

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

extension Scan {
  /// Bytes from the sinogram's start to a block.
  func sinogram(block: Int) -> UnsafeRawPointer {
    UnsafeRawPointer(sinogram.start + block * layout.sinogramBlockByteCount(slots: thetas.count))
  }

  func subsetSolver(_ options: SubsetOptions, padding: Int = 0, threads: Int = 1, level: Int? = nil) -> SubsetSolver {
    SubsetSolver(
      layout: layout, beam: beam, options: options, angles: angles, padding: padding, threads: threads, level: level)
  }

  /// All slices, block by block; `noise` is that of each row.
  func solve(
    _ options: SubsetOptions, noise: [Float]?, padding: Int = 0, level: Int? = nil, width: Int = 1,
    interrupting: ((SubsetSolver, _ block: Int) -> SubsetSolver)? = nil
  ) -> (slices: [[Float]], reports: [SubsetReport]) {
    let executor = ThreadExecutor(width: width)
    var solver = subsetSolver(options, padding: padding, threads: width, level: level), reports: [SubsetReport] = []
    for block in blocks {
      solver.begin(
        block: block, sinogram: sinogram(block: block), slots: thetas.count,
        noise: noise.map { Array($0[layout.rows(of: block..<block + 1)]) }, executor: executor)
      while solver.nextStep < solver.stepCount {
        _ = solver.step(executor: executor)
        if let interrupting { solver = interrupting(solver, block) }
      }
      solver.finish(into: volume.start, executor: executor)
      reports += solver.report
    }
    return ((0..<layout.rows).map { slice($0) }, reports)
  }
}

/// A foam that varies from slice to slice: line integrals with normal noise of a part of the largest one.
struct NoisyFoamScan {
  let columns: Int, rows: Int, thetas: [Double], sigma: Float
  /// Of each angle, row after row.
  let data: [[Float]]
  let truths: [[Float]]
  /// Of the first row.
  var truth: [Float] { truths[0] }

  init(columns: Int, rows: Int = 1, angles: Int, noise: Double, seed: UInt64) {
    let foam = Foam(rows: rows, columns: columns, seed: seed, voidValue: 0)
    (self.columns, self.rows) = (columns, rows)
    let thetas = (0..<angles).map { Double($0) * .pi / Double(angles) }
    self.thetas = thetas
    truths = (0..<rows).map { row in
      [Float](unsafeUninitializedCapacity: columns * columns) { buffer, count in
        foam.slice(
          row: row, columns: columns, supersampling: 8, into: UnsafeMutableBufferPointer(rebasing: buffer[...]))
        count = columns * columns
      }
    }
    let lines = thetas.map { theta in
      (0..<rows).flatMap { row in
        [Float](unsafeUninitializedCapacity: columns) { buffer, count in
          foam.lineIntegrals(
            row: row, theta: theta, columns: columns, rotationAxis: Double(columns) / 2, samplesPerBin: 4,
            into: UnsafeMutableBufferPointer(rebasing: buffer[...]))
          count = columns
        }
      }
    }
    let sigma = Float(noise) * lines.joined().max()!
    self.sigma = sigma
    var random = SplitMix64(seed: seed + 1000)
    data = lines.map { line in
      line.map { value in
        value + sigma * Float((-2 * log(1 - random.unit())).squareRoot() * cos(2 * .pi * random.unit()))
      }
    }
  }

  /// Of the first row alone.
  func scan(times factor: Float = 1) -> Scan {
    let scan = Scan(columns: columns, thetas: thetas)
    for (slot, line) in data.enumerated() { scan.set(projection: line.map { $0 * factor }, slot: slot) }
    return scan
  }

  /// Decibels of the largest value inside 0.45 columns, of the slice of a row.
  func quality(_ slice: [Float], row: Int = 0) -> Double {
    slice.withUnsafeBufferPointer { slice in
      truths[row].withUnsafeBufferPointer { psnr(slice, reference: $0, columns: columns, radiusFraction: 0.45) }
    }
  }

  func quality(_ options: SubsetOptions) -> Double { quality(scan().solve(options, noise: [sigma]).slices[0]) }

  /// The best of all filters, cut at zero.
  var bestFiltered: Double {
    FBPOptions.Filter.allCases.map { filter in
      let scan = scan()
      scan.solve(.filteredBackprojection(FBPOptions(filter: filter)), iterations: 1)
      return quality(scan.slice().map { max(0, $0) })
    }.max()!
  }
}
