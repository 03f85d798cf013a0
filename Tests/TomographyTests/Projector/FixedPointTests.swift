import Glibc
import Host
import Testing

@testable import KernelTypes
@testable import Tomography

/// Projections in fixed point beside those in float.
@Suite struct FixedPointTests {
  private static func thetas(_ count: Int, using random: inout SplitMix64) -> [Double] {
    ProjectorTests.awkwardThetas + (0..<count).map { _ in Double.random(in: -4...7, using: &random) }
  }

  /// Slices and projections of random values times `scale`.
  private static func fill(_ scans: [FixedScan], _ values: ClosedRange<Float>, using random: inout SplitMix64) {
    let columns = scans[0].columns
    for row in 0..<scans[0].rows {
      let slice = (0..<columns * columns).map { _ in Float.random(in: values, using: &random) }
      for scan in scans { scan.scan.set(slice: slice, row: row) }
    }
    for slot in scans[0].scan.thetas.indices {
      let rows = (0..<scans[0].rows * columns).map { _ in Float.random(in: values, using: &random) }
      for scan in scans { scan.scan.set(projection: rows, slot: slot) }
    }
  }

  @Test(arguments: 1...24)
  func `a pair in fixed point is close to that in float, and nearly adjoint`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...150, using: &random), rows = [1, 17, 33, 50].randomElement(using: &random)!
    let lanes = [4, 16, 32, 48, 64].randomElement(using: &random)!,
      level = KernelTable.levels.randomElement(using: &random)!
    let axis = Double(columns) * Double.random(in: 0...1, using: &random)
    let scale = Float([1e-6, 1, 1e6].randomElement(using: &random)!)
    let thetas = Self.thetas(Int.random(in: 1...60, using: &random), using: &random)
    let image = FixedScan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas, level: level)
    let rays = FixedScan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas, level: level)
    Self.fill([image, rays], 0...scale, using: &random)
    let slices = (0..<rows).map { image.scan.slice($0) },
      projections = thetas.indices.map { rays.scan.projection(slot: $0) }
    let what: Comment = "seed \(seed): \(columns) columns, \(rows) rows, \(lanes) lanes, level \(level), axis \(axis)"
    #expect(image.forward() == 0 && rays.back() == 0, what)
    let projected = thetas.indices.map { image.scan.projection(slot: $0) },
      back = (0..<rows).map { rays.scan.slice($0) }
    // The same in float.
    for row in 0..<rows { image.scan.set(slice: slices[row], row: row) }
    for slot in thetas.indices { rays.scan.set(projection: projections[slot], slot: slot) }
    image.scan.forward(level: level)
    rays.scan.back(level: level)
    let expected = thetas.indices.flatMap { image.scan.projection(slot: $0).map(Double.init) }
    let forwardDistance = relativeDistance(projected.joined().map(Double.init), expected)
    let backDistance = relativeDistance(
      back.joined().map(Double.init), (0..<rows).flatMap { rays.scan.slice($0).map(Double.init) })
    #expect(forwardDistance <= 3e-4 && backDistance <= 1e-4, "\(what): \(forwardDistance), \(backDistance)")
    for row in 0..<rows {
      var forward = 0.0, adjoint = 0.0
      for slot in thetas.indices {
        for bin in row * columns..<(row + 1) * columns {
          forward += Double(projected[slot][bin]) * Double(projections[slot][bin])
        }
      }
      for (a, b) in zip(back[row], slices[row]) { adjoint += Double(a) * Double(b) }
      #expect(abs(forward - adjoint) <= 2e-4 * forward, "\(what): row \(row): \(forward), \(adjoint)")
    }
  }

  @Test(arguments: 1...12)
  func `lanes, levels, threads and rows beside change no bit`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    // The last blocks have 2, 4, 16 lanes.
    let columns = Int.random(in: 1...120, using: &random), rows = [18, 20, 30, 35].randomElement(using: &random)!
    let axis = Double(columns) * Double.random(in: -0.2...1.2, using: &random)
    let thetas = Self.thetas(Int.random(in: 1...70, using: &random), using: &random)
    let first = FixedScan(columns: columns, rows: rows, lanes: 64, axis: axis, thetas: thetas, level: 2)
    var others: [FixedScan] = []
    for level in KernelTable.levels {
      for lanes in [2, 4, 16, 32, 48] {
        others.append(
          FixedScan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas, level: level, workers: 3))
      }
    }
    Self.fill([first] + others, -1...1, using: &random)
    // Another magnitude in each row.
    for row in 0..<rows {
      let factor = Float.random(in: 1e-3...10, using: &random)
      let slice = first.scan.slice(row).map { $0 * factor }
      for scan in [first] + others { scan.scan.set(slice: slice, row: row) }
    }
    let data = thetas.indices.map { first.scan.projection(slot: $0) }
    #expect(first.forward() == 0)
    let projected = thetas.indices.map { first.scan.projection(slot: $0) }
    for slot in thetas.indices { first.scan.set(projection: data[slot], slot: slot) }
    #expect(first.back() == 0)
    for other in others {
      let what: Comment = "seed \(seed): \(columns) columns, \(rows) rows, \(other.lanes) lanes, level \(other.level)"
      #expect(other.forward(executor: ThreadExecutor(width: 3)) == 0, what)
      let isSame = thetas.indices.allSatisfy { other.scan.projection(slot: $0) == projected[$0] }
      #expect(isSame, what)
      for slot in thetas.indices { other.scan.set(projection: data[slot], slot: slot) }
      #expect(other.back(executor: ThreadExecutor(width: 3)) == 0, what)
      let isSameBack = (0..<rows).allSatisfy { other.scan.slice($0) == first.scan.slice($0) }
      #expect(isSameBack, what)
    }
  }

  @Test func `voxels that do not fit are counted, and their slices alone are projected with another scale`() {
    let columns = 70
    var random = SplitMix64(seed: 3)
    for level in KernelTable.levels {
      let scan = FixedScan(columns: columns, rows: 20, lanes: 32, axis: 35, thetas: [0.2, 1.4, 2.9], level: level)
      var slice = (0..<columns * columns).map { _ in Float.random(in: 0...1, using: &random) }
      for row in 0..<20 { scan.scan.set(slice: slice, row: row) }
      #expect(scan.forward() == 0)
      // There is room for twice as much.
      slice[5 * columns + 9] = 1.9
      scan.scan.set(slice: slice, row: 4)
      #expect(scan.forward() == 0)
      for (pixel, value) in [(0, 4), (33 * columns + 32, -5), (columns * columns - 1, 6)] as [(Int, Float)] {
        slice[pixel] = value
      }
      scan.scan.set(slice: slice, row: 4)
      scan.scan.set(slice: slice, row: 19)
      let before = scan.scan.projection(slot: 1)
      #expect(scan.forward() == 6)
      let peaks = scan.fixedPoint.peaks(block: 0), outgrown = scan.fixedPoint.outgrown(block: 0)
      #expect(peaks[19] == 6 && outgrown.indices.filter { outgrown[$0] == 1 } == [4, 19])
      let after = scan.scan.projection(slot: 1), kept = [0, 3, 5, 18]
      #expect(
        kept.allSatisfy { after[$0 * columns..<($0 + 1) * columns] == before[$0 * columns..<($0 + 1) * columns] })
      let projected = after[4 * columns..<5 * columns].map(Double.init)
      #expect(scan.forward() == 0 && !scan.fixedPoint.outgrown(block: 0).contains(1))
      scan.scan.forward(level: level)
      let expected = scan.scan.projection(slot: 1)[4 * columns..<5 * columns].map(Double.init)
      #expect(relativeDistance(projected, expected) < 3e-4)
    }
  }

  @Test func `zeros stay zeros, and what is not a number is counted and not hidden`() {
    let columns = 40
    for level in KernelTable.levels {
      let scan = FixedScan(columns: columns, rows: 16, lanes: 16, axis: 20, thetas: [0.2, 1.4, 2.9], level: level)
      #expect(scan.forward() == 0 && scan.back() == 0)
      #expect(scan.scan.slice(3).allSatisfy { $0 == 0 } && scan.scan.projection(slot: 0).allSatisfy { $0 == 0 })
      var slice = [Float](repeating: 1, count: columns * columns)
      scan.scan.set(slice: slice, row: 2)
      // Zeros before: no scale fits, until the volume is known.
      #expect(scan.forward() == columns * columns && scan.forward() == 0)
      slice[100] = .nan
      slice[900] = .infinity
      scan.scan.set(slice: slice, row: 2)
      #expect(scan.forward() == 2 && scan.forward() == 2)
      let projected = scan.scan.projection(slot: 1)
      #expect(projected[2 * columns..<3 * columns].allSatisfy { $0.isNaN })
      #expect(projected[3 * columns..<4 * columns].allSatisfy { $0 == 0 })
      var rows = [Float](repeating: 1, count: 16 * columns)
      rows[7 * columns + 3] = -.infinity
      scan.scan.set(projection: rows, slot: 1)
      scan.scan.set(projection: [Float](repeating: 0.5, count: 16 * columns), slot: 0)
      scan.scan.set(projection: [Float](repeating: 0.5, count: 16 * columns), slot: 2)
      #expect(scan.back() == 1)
      #expect(scan.scan.slice(7).allSatisfy { $0.isNaN } && scan.scan.slice(6).allSatisfy { $0.isFinite })
    }
  }
}

extension FixedPointTests {
  /// R and C are computed by projecting ones in float.
  private func sirt(_ projector: Projector, _ scan: Scan, data: [[Float]], iterations: Int) -> [Float] {
    let columns = scan.layout.columns, angles = scan.thetas.count, rows = scan.layout.rows
    let plain = Projector(layout: scan.layout, beam: scan.beam)
    func forward(_ projector: Projector) -> [[Float]] {
      projector.forward(
        volume: scan.volume.start, sinogram: scan.sinogram.start, slots: angles, blocks: scan.blocks,
        angles: scan.angles, executor: SerialExecutor())
      return (0..<angles).map { scan.projection(slot: $0) }
    }
    func back(_ projector: Projector, _ rows: [[Float]]) -> [[Float]] {
      for slot in 0..<angles { scan.set(projection: rows[slot], slot: slot) }
      projector.back(
        volume: scan.volume.start, sinogram: scan.sinogram.start, slots: angles, blocks: scan.blocks,
        angles: scan.angles, executor: SerialExecutor())
      return (0..<scan.layout.rows).map { scan.slice($0) }
    }
    func set(_ slices: [[Float]]) { for row in 0..<rows { scan.set(slice: slices[row], row: row) } }
    func inverse(_ sums: [[Float]]) -> [[Float]] { sums.map { $0.map { $0 > 1e-3 ? 1 / $0 : 0 } } }
    let ones = [[Float]](repeating: [Float](repeating: 1, count: columns * columns), count: rows)
    set(ones)
    let rowWeights = inverse(forward(plain))
    let columnWeights = inverse(
      back(plain, [[Float]](repeating: [Float](repeating: 1, count: rows * columns), count: angles)))
    var slices = ones.map { $0.map { _ in Float(0) } }
    for _ in 0..<iterations {
      set(slices)
      let projected = forward(projector)
      let residuals = (0..<angles).map { slot in
        (0..<rows * columns).map { rowWeights[slot][$0] * (data[slot][$0] - projected[slot][$0]) }
      }
      let update = back(projector, residuals)
      for row in 0..<rows {
        for pixel in 0..<columns * columns { slices[row][pixel] += columnWeights[row][pixel] * update[row][pixel] }
      }
    }
    return slices[0]
  }

  @Test func `SIRT in fixed point has the same signal to noise ratio to a thousandth of a decibel`() {
    let columns = 48, rows = 5
    var random = SplitMix64(seed: 4)
    var slice = [Float](repeating: 0, count: columns * columns)
    for _ in 0..<12 {
      let x = Float.random(in: 10...38, using: &random), y = Float.random(in: 10...38, using: &random)
      let radius = Float.random(in: 2...7, using: &random), grey = Float.random(in: 0.1...1, using: &random)
      for pixel in slice.indices {
        let dx = Float(pixel % columns) - x, dy = Float(pixel / columns) - y
        if dx * dx + dy * dy < radius * radius { slice[pixel] += grey }
      }
    }
    let thetas = (0..<36).map { 0.01 + Double($0) * .pi / 36 }
    let scan = Scan(columns: columns, rows: rows, lanes: 16, thetas: thetas)
    for row in 0..<rows { scan.set(slice: slice, row: row) }
    scan.forward()
    let data = thetas.indices.map { slot in
      scan.projection(slot: slot).map { $0 + Float.random(in: -0.3...0.3, using: &random) }
    }
    func ratio(_ fixedPoint: FixedPoint?) -> Double {
      let projector = Projector(layout: scan.layout, beam: scan.beam, fixedPoint: fixedPoint)
      let found = sirt(projector, scan, data: data, iterations: 60)
      let error = zip(found, slice).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
      return 10 * log10(Double(slice.count) * 1 / error)
    }
    let float = ratio(nil), fixed = ratio(FixedPoint(layout: scan.layout, anglesMax: 36, workers: 1))
    #expect(abs(float - fixed) < 1e-3, "\(float) and \(fixed) dB")
  }
}

/// A scan that is projected in fixed point.
struct FixedScan {
  let scan: Scan
  let fixedPoint: FixedPoint
  let columns: Int, rows: Int, lanes: Int, level: Int
  private let projector: Projector

  init(columns: Int, rows: Int, lanes: Int, axis: Double, thetas: [Double], level: Int, workers: Int = 1) {
    (self.columns, self.rows, self.lanes, self.level) = (columns, rows, lanes, level)
    scan = Scan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas)
    fixedPoint = FixedPoint(layout: scan.layout, anglesMax: thetas.count, workers: workers)
    projector = Projector(layout: scan.layout, beam: scan.beam, level: level, fixedPoint: fixedPoint)
  }

  func forward(executor: some Executor = SerialExecutor()) -> Int {
    projector.forward(
      volume: scan.volume.start, sinogram: scan.sinogram.start, slots: scan.thetas.count, blocks: scan.blocks,
      angles: scan.angles, executor: executor)
  }

  func back(executor: some Executor = SerialExecutor()) -> Int {
    projector.back(
      volume: scan.volume.start, sinogram: scan.sinogram.start, slots: scan.thetas.count, blocks: scan.blocks,
      angles: scan.angles, executor: executor)
  }
}
