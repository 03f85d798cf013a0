import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct ProjectorTests {
  /// θ at which rays meet pixels exactly, or change their major axis, and others.
  static let awkwardThetas =
    [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, -0.5, 2].map { $0 * Double.pi } + [1e-9, 0.1, 1.3, 2.2, 3, -0.7]

  @Test func `a bright pixel lands in the design's bins`() {
    let scan = Scan(columns: 32, thetas: [0, .pi / 2])
    var slice = [Float](repeating: 0, count: 32 * 32)
    slice[5 * 32 + 20] = 1
    scan.set(slice: slice)
    scan.forward()
    for (slot, bright) in [(0, 20), (1, 26)] {
      for (bin, value) in scan.projection(slot: slot).enumerated() {
        let expected: Float = bin == bright ? 1 : 0
        #expect(abs(value - expected) < 1e-6)
      }
    }
  }

  @Test(arguments: 1...40)
  func `the backprojector is the transpose of the projector`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...200, using: &random), rows = Int.random(in: 1...5, using: &random)
    let axis = Double(columns) * Double.random(in: 0.2...0.8, using: &random)
    let lanes = [2, 4, 16, 32, 48, 64].randomElement(using: &random)!,
      level = KernelTable.levels.randomElement(using: &random)!
    var thetas = (0..<Int.random(in: 1...30, using: &random)).map { _ in Double.random(in: -4...7, using: &random) }
    thetas.append(Self.awkwardThetas.randomElement(using: &random)!)
    let image = Scan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas)
    let rays = Scan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas)
    let slices = (0..<rows).map { _ in (0..<columns * columns).map { _ in Float.random(in: 0...1, using: &random) } }
    let projections = thetas.map { _ in (0..<rows * columns).map { _ in Float.random(in: 0...1, using: &random) } }
    for row in 0..<rows { image.set(slice: slices[row], row: row) }
    for slot in thetas.indices { rays.set(projection: projections[slot], slot: slot) }
    image.forward(level: level)
    rays.back(level: level)
    for row in 0..<rows {
      var forward = 0.0, back = 0.0
      for slot in thetas.indices {
        let projected = image.projection(slot: slot)
        for bin in row * columns..<(row + 1) * columns {
          forward += Double(projected[bin]) * Double(projections[slot][bin])
        }
      }
      for (a, b) in zip(rays.slice(row), slices[row]) { back += Double(a) * Double(b) }
      let isClose = abs(forward - back) <= 1e-5 * max(forward, back, 1e-3)
      let scan = "\(columns) columns, row \(row) of \(rows), \(lanes) lanes, level \(level), axis \(axis)"
      #expect(isClose, "seed \(seed): \(scan): \(forward), \(back)")
    }
  }

  @Test(arguments: 1...24)
  func `projections agree with Joseph's matrix in double precision`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...70, using: &random),
      axis = Double(columns) * Double.random(in: -0.2...1.2, using: &random)
    let level = KernelTable.levels.randomElement(using: &random)!
    let scan = Scan(
      columns: columns, lanes: [2, 4, 16, 32, 64].randomElement(using: &random)!, axis: axis, thetas: Self.awkwardThetas
    )
    let slice = (0..<columns * columns).map { _ in Float.random(in: 0...1, using: &random) }
    scan.set(slice: slice)
    scan.forward(level: level)
    let reference = JosephReference(columns: columns, axis: axis)
    for (slot, theta) in scan.thetas.enumerated() {
      let expected = reference.project(slice.map(Double.init), theta: theta)
      // Positions within a patch are floats below 16: weights are good to about 1e-6 of a pixel.
      let error = zip(scan.projection(slot: slot), expected).map { abs(Double($0) - $1) }.max()!
      #expect(
        error < 3e-6 * Double(columns) + 1e-6,
        "seed \(seed): \(columns) columns, axis \(axis), theta \(theta), level \(level)")
    }
  }

  @Test(arguments: 1...30)
  func `any lanes give the same bits at every level`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...150, using: &random), rows = Int.random(in: 1...3, using: &random)
    let axis = Double(columns) * Double.random(in: -0.2...1.2, using: &random)
    let thetas =
      Self.awkwardThetas
      + (0..<Int.random(in: 1...70, using: &random)).map { _ in Double.random(in: -4...7, using: &random) }
    let slices = (0..<rows).map { _ in (0..<columns * columns).map { _ in Float.random(in: -1...1, using: &random) } }
    let projections = thetas.map { _ in (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &random) } }
    for level in KernelTable.levels {
      let results = [2, 4, 16].map { lanes in
        let scan = Scan(columns: columns, rows: rows, lanes: lanes, axis: axis, thetas: thetas)
        for row in 0..<rows { scan.set(slice: slices[row], row: row) }
        scan.forward(level: level)
        let projected = thetas.indices.map { scan.projection(slot: $0) }
        for slot in thetas.indices { scan.set(projection: projections[slot], slot: slot) }
        scan.back(level: level)
        return (projected, (0..<rows).map { scan.slice($0) })
      }
      let isSame = results.allSatisfy { $0 == results[0] }
      #expect(
        isSame, "seed \(seed): \(columns) columns, \(rows) rows, axis \(axis), \(thetas.count) angles, level \(level)")
    }
  }

  @Test func `rows of a projection do not mix`() {
    let scan = Scan(columns: 20, rows: 40, lanes: 16, thetas: [0.3, 1.9])
    scan.set(slice: [Float](repeating: 1, count: 400), row: 17)
    scan.forward()
    for slot in 0..<2 {
      for (index, value) in scan.projection(slot: slot).enumerated() where index / 20 != 17 { #expect(value == 0) }
    }
  }

  @Test(arguments: [(0.3, 1), (0.3, 2), (1.2, 3)])
  func `the executor does not change a bit`(theta: Double, width: Int) {
    let thetas = (0..<17).map { theta + 0.2 * Double($0) }
    let one = Scan(columns: 75, rows: 3, thetas: thetas), many = Scan(columns: 75, rows: 3, thetas: thetas)
    var random = SplitMix64(seed: 5)
    for row in 0..<3 {
      let slice = (0..<75 * 75).map { _ in Float.random(in: 0...1, using: &random) }
      for scan in [one, many] { scan.set(slice: slice, row: row) }
    }
    one.forward()
    many.forward(executor: ThreadExecutor(width: width))
    #expect((0..<17).allSatisfy { one.projection(slot: $0) == many.projection(slot: $0) })
    one.back()
    many.back(executor: ThreadExecutor(width: width))
    #expect((0..<3).allSatisfy { one.slice($0) == many.slice($0) })
  }

  /// Threads share blocks in pieces of their lanes and of the rays; a last block is narrower.
  @Test(
    arguments: [(100, nil, 2), (100, nil, 16), (64, 64, 5), (40, 48, 3), (36, 16, 7), (6, 4, 4), (150, 80, 32)]
      as [(Int, Int?, Int)])
  func `pieces of a block have the bits of the whole, at every level`(rows: Int, lanes: Int?, width: Int) {
    let columns = 45, thetas = (0..<26).map { 0.1 + 0.23 * Double($0) }
    var random = SplitMix64(seed: 6)
    let slices = (0..<rows).map { _ in (0..<columns * columns).map { _ in Float.random(in: 0...1, using: &random) } }
    let noise = thetas.map { _ in (0..<rows * columns).map { _ in Float.random(in: 1...2, using: &random) } }
    for level in KernelTable.levels {
      let one = Scan(columns: columns, rows: rows, lanes: lanes, axis: 21, thetas: thetas),
        many = Scan(columns: columns, rows: rows, lanes: lanes, axis: 21, thetas: thetas)
      for scan in [one, many] {
        for row in 0..<rows { scan.set(slice: slices[row], row: row) }
        for slot in thetas.indices { scan.set(projection: noise[slot], slot: slot) }
      }
      one.forward(level: level)
      many.forward(level: level, executor: ThreadExecutor(width: width))
      let isSame = thetas.indices.allSatisfy { one.projection(slot: $0) == many.projection(slot: $0) }
      #expect(isSame, "level \(level)")
    }
  }

  @Test func `the back kernel overwrites, and only its own blocks`() {
    let scan = Scan(columns: 9, rows: 8, lanes: 4, thetas: [0.4])
    for row in 0..<8 { scan.set(slice: [Float](repeating: 7, count: 81), row: row) }
    scan.set(projection: [Float](repeating: 0, count: 72), slot: 0)
    Projector(layout: scan.layout, beam: scan.beam).back(
      volume: scan.volume.start, sinogram: scan.sinogram.start, slots: 1, blocks: 1..<2, angles: scan.angles,
      executor: SerialExecutor())
    #expect(scan.slice(3).allSatisfy { $0 == 7 } && scan.slice(4).allSatisfy { $0 == 0 })
  }
}
