import Host
import Testing

@testable import KernelTypes
@testable import Simulation
@testable import Tomography

/// The same bits however the work is cut, and after a restart.
@Suite struct SubsetBitsTests {
  static let columns = 45, rows = 19
  static let thetas = (0..<13).map { Double($0 * 5 % 13) * .pi / 13 + 0.05 }
  static let noise = (0..<rows).map { $0 % 5 == 4 ? 0 : 0.3 + 0.01 * Float($0) }
  /// Rows whose range is too wide for fixed point, so little is their noise: the first one, and some of each width.
  static let wide = [0, 4, 5, 11, 17]
  static let data: [[Float]] = {
    var random = SplitMix64(seed: 78)
    return thetas.map { _ in (0..<rows * columns).map { _ in Float.random(in: 0...9, using: &random) } }
  }()
  static let options: [SubsetOptions] = {
    var short = SubsetOptions(preset: .fast, nonNegative: true)
    short.sweeps = 4
    var huber = SubsetOptions(diskMask: true)
    huber.sweeps = 4
    huber.penalty = .huber(epsilon: 0.03)
    huber.innerSteps = 3
    huber.weighsCounts = true
    var mixed = short
    mixed.weight = .rule(factor: 0.4)
    return [short, huber, mixed]
  }()
  /// What is known of the noise with each of the options.
  static func noise(_ options: SubsetOptions) -> [Float] {
    options.weight == .rule(factor: 0.4) ? (0..<rows).map { wide.contains($0) ? 0.001 : max(noise[$0], 0.2) } : noise
  }

  static func scan(_ part: Range<Int>, lanes: Int? = nil) -> Scan {
    let scan = Scan(columns: columns, rows: part.count, lanes: lanes, axis: 22.1, thetas: thetas)
    for (slot, rows) in data.enumerated() {
      scan.set(projection: Array(rows[part.lowerBound * columns..<part.upperBound * columns]), slot: slot)
    }
    return scan
  }

  /// Slices `part` of the rows, reconstructed as a scan of their own; those with the mask on a padded grid.
  static func solved(
    _ part: Range<Int>, _ options: SubsetOptions, lanes: Int? = nil, level: Int? = nil, width: Int = 1,
    interrupting: ((SubsetSolver, Int) -> SubsetSolver)? = nil
  ) -> (slices: [[Float]], reports: [SubsetReport]) {
    scan(part, lanes: lanes).solve(
      options, noise: Array(noise(options)[part]), padding: options.diskMask ? 3 : 0, level: level, width: width,
      interrupting: interrupting)
  }

  static let whole = options.map { solved(0..<rows, $0) }

  @Test func `slices of a wide range are projected in float with auto, and by themselves`() {
    func inFloat(_ reports: [SubsetReport]) -> [Int] { reports.indices.filter { reports[$0].isFloat } }
    #expect(Self.whole.map { inFloat($0.reports) } == [[], [], Self.wide])
    // The others are those of a solver that knows no float, and the former of one that knows nothing else.
    var options = Self.options[2]
    for precision in [SubsetOptions.Precision.fixed, .float] {
      options.precision = precision
      let slices = Self.solved(0..<Self.rows, options).slices
      for row in 0..<Self.rows {
        #expect(
          (slices[row] == Self.whole[2].slices[row]) == (Self.wide.contains(row) == (precision == .float)), "\(row)")
      }
    }
  }

  @Test(arguments: [0, 1, 2], [2, 4, 16, 32])
  func `lanes do not change a bit`(options: Int, lanes: Int) {
    let other = Self.solved(0..<Self.rows, Self.options[options], lanes: lanes, width: lanes == 16 ? 3 : 1)
    #expect(other.slices == Self.whole[options].slices && other.reports == Self.whole[options].reports)
  }

  @Test(arguments: [0, 1, 2])
  func `workers with their own rows give the same bits`(options: Int) {
    let parts = [0..<1, 1..<18, 18..<19].map { Self.solved($0, Self.options[options]) }
    #expect(parts.flatMap(\.slices) == Self.whole[options].slices)
    #expect(parts.flatMap(\.reports) == Self.whole[options].reports)
  }

  @Test(arguments: [0, 1, 2], [2, 5])
  func `threads do not change a bit`(options: Int, width: Int) {
    #expect(Self.solved(0..<Self.rows, Self.options[options], width: width).slices == Self.whole[options].slices)
  }

  @Test(arguments: [0, 1, 2])
  func `instruction sets with fused multiply-add give the same bits`(options: Int) {
    for level in KernelTable.levels where level >= 3 {
      let other = Self.solved(0..<Self.rows, Self.options[options], level: level)
      #expect(other.slices == Self.whole[options].slices)
    }
  }

  @Test(arguments: [0, 1, 2])
  func `another solver goes on after any step with the same bits`(options: Int) {
    let scan = Self.scan(0..<Self.rows, lanes: 16), padding = options == 1 ? 3 : 0
    let count = scan.subsetSolver(Self.options[options], padding: padding).stateByteCount
    #expect(count == SubsetSolver.stateByteCount(layout: scan.layout, padding: padding, dimensions: 2))
    let state = Memory(byteCount: count)
    let noise = Self.noise(Self.options[options])
    let result = scan.solve(Self.options[options], noise: noise, padding: padding, width: 2) { solver, block in
      solver.save(to: state.start, executor: SerialExecutor())
      let next = scan.subsetSolver(Self.options[options], padding: padding, threads: 2)
      let isTaken = next.restore(
        from: state.start, block: block, sinogram: scan.sinogram(block: block), slots: Self.thetas.count,
        executor: SerialExecutor())
      #expect(isTaken && next.nextStep == solver.nextStep)
      return next
    }
    #expect(result.slices == Self.whole[options].slices && result.reports == Self.whole[options].reports)
  }

  @Test func `a state of another block, or of other settings, is not taken`() {
    let scan = Self.scan(0..<Self.rows, lanes: 16), slots = Self.thetas.count
    let solver = scan.subsetSolver(Self.options[0])
    solver.begin(block: 1, sinogram: scan.sinogram(block: 1), slots: slots, noise: nil, executor: SerialExecutor())
    let state = Memory(byteCount: solver.stateByteCount)
    solver.save(to: state.start, executor: SerialExecutor())
    func isTaken(_ other: SubsetSolver, block: Int) -> Bool {
      other.restore(
        from: state.start, block: block, sinogram: scan.sinogram(block: block), slots: slots, executor: SerialExecutor()
      )
    }
    var options = Self.options[0]
    #expect(isTaken(scan.subsetSolver(options), block: 1))
    #expect(!isTaken(scan.subsetSolver(options), block: 0))
    options.precision = .float
    #expect(!isTaken(scan.subsetSolver(options), block: 1))
    options = Self.options[0]
    options.weight = .rule(factor: 0.4)
    #expect(!isTaken(scan.subsetSolver(options), block: 1))
  }

  @Test(arguments: [0, 7])
  func `the forecast names what is allocated`(padding: Int) {
    let layout = SliceLayout(columns: 100, rows: 100)
    let angles = (0..<25).map { WindowAngle(theta: 0.1 * Double($0), slot: $0) }
    for options in Self.options {
      let solver = SubsetSolver(
        layout: layout, beam: ParallelBeam(columns: 100, rotationAxis: 50), options: options, angles: angles,
        padding: padding, threads: 2)
      #expect(solver.scratchByteCount > 3 * layout.volumeBlockByteCount)
      #expect(
        solver.scratchByteCount
          == SubsetSolver.scratchByteCount(
            layout: layout, options: options, angles: 25, padding: padding, threads: 2))
    }
  }
}
