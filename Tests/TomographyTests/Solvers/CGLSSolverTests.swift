import Host
import KernelTypes
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct CGLSSolverTests {
  /// The textbook's recurrence with a dense matrix in double precision.
  private struct Dense {
    let rows: [[Double]]
    var x: [Double]
    var r: [Double]
    var p: [Double]
    var gamma: Double

    init(_ rows: [[Double]], _ b: [Double]) {
      self.rows = rows
      x = [Double](repeating: 0, count: rows[0].count)
      r = b
      p = Self.transposed(rows, r)
      gamma = p.reduce(0) { $0 + $1 * $1 }
    }

    mutating func step() {
      let q = rows.map { row in zip(row, p).reduce(0) { $0 + $1.0 * $1.1 } }
      let alpha = gamma / q.reduce(0) { $0 + $1 * $1 }
      for index in x.indices { x[index] += alpha * p[index] }
      for index in r.indices { r[index] -= alpha * q[index] }
      let s = Self.transposed(rows, r), next = s.reduce(0) { $0 + $1 * $1 }
      for index in p.indices { p[index] = s[index] + next / gamma * p[index] }
      gamma = next
    }

    static func transposed(_ rows: [[Double]], _ r: [Double]) -> [Double] {
      rows[0].indices.map { column in r.indices.reduce(0) { $0 + rows[$1][column] * r[$1] } }
    }
  }

  private static func system(_ seed: UInt64) -> (scan: Scan, rows: [[Double]], data: [Double]) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 3...16, using: &random), count = Int.random(in: 2...7, using: &random)
    let axis = Double(columns) * Double.random(in: 0.4...0.6, using: &random)
    let thetas = (0..<count).map { Double($0) * .pi / Double(count) + 0.1 }
    let data = thetas.map { _ in (0..<columns).map { _ in Float.random(in: -1...4, using: &random) } }
    let scan = Scan(columns: columns, axis: axis, thetas: thetas)
    for slot in thetas.indices { scan.set(projection: data[slot], slot: slot) }
    let reference = JosephReference(columns: columns, axis: axis)
    let rows = thetas.flatMap { theta in
      (0..<columns).map { bin in
        var row = [Double](repeating: 0, count: columns * columns)
        reference.forEachWeight(theta: theta, bin: bin) { row[$0] += $1 }
        return row
      }
    }
    return (scan, rows, data.joined().map(Double.init))
  }

  @Test(arguments: 1...12)
  func `steps equal the recurrence written out`(seed: UInt64) {
    let (scan, rows, data) = Self.system(seed)
    var dense = Dense(rows, data)
    for _ in 0..<3 { dense.step() }
    let before = dense.r.reduce(0) { $0 + $1 * $1 }
    let residual = scan.solve(.conjugateGradients(CGLSOptions()), iterations: 4)
    dense.step()
    #expect(relativeDistance(scan.slice().map(Double.init), dense.x) < 1e-4, "seed \(seed)")
    #expect(abs(residual.residualSquared - before) < 1e-4 * residual.dataSquared, "seed \(seed)")
  }

  @Test func `steps one by one are those of one call, and a start forgets them`() {
    let (scan, _, _) = Self.system(5), method = Method.conjugateGradients(CGLSOptions())
    let count = scan.angles.count
    let solver = method.solver(layout: scan.layout, beam: scan.beam, anglesMax: count, threads: 1)
    func start() {
      solver.start(
        volume: scan.volume.start, keeping: false, sinogram: scan.sinogram.start, slots: count, blocks: 0..<1,
        angles: scan.angles, executor: SerialExecutor())
    }
    func update(_ iterations: Int) -> Residual {
      solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: count, blocks: 0..<1,
        angles: scan.angles, iterations: iterations, executor: SerialExecutor())
    }
    start()
    _ = update(4)
    let slice = scan.slice()
    start()
    var residuals: [Double] = []
    for _ in 0..<4 { residuals.append(update(1).residualSquared) }
    #expect(scan.slice() == slice)
    #expect(zip(residuals, residuals.dropFirst()).allSatisfy { $0 > $1 })
  }

  @Test func `data of zeros and voxels that fit already change nothing`() {
    let scan = Scan(columns: 9, axis: 4.5, thetas: [0.1, 1, 2])
    let residual = scan.solve(.conjugateGradients(CGLSOptions()), iterations: 3)
    #expect(scan.slice().allSatisfy { $0 == 0 } && residual.residualSquared == 0)
  }

  @Test func `a value that is not finite is told`() {
    let (scan, _, _) = Self.system(2)
    scan.set(projection: [Float](repeating: .nan, count: scan.layout.columns), slot: 0)
    #expect(!scan.solve(.conjugateGradients(CGLSOptions()), iterations: 2).residualSquared.isFinite)
  }
}
