import KernelTypes
internal import Tomography

/// Slices that are reconstructed together from the same angles, one block on one thread, by any method.
final class QualityBed {
  let layout: SliceLayout
  private let beam: ParallelBeam
  private let angles: [WindowAngle]
  private let noise: [Float]?
  private let nonNegative: Bool
  private let projector: Projector
  private let volume, sinogram, projected: ScratchMemory
  /// 1 / A1, angles × columns.
  private var rowWeights: [Float] = []
  private let executor = SerialExecutor()

  /// Less of a ray in the slice is nothing.
  private static let pathMin: Float = 1e-3

  /// `lines[slice]` are angles × columns; `noise` is σ of each slice, nil where nobody knows.
  init(lines: [[Float]], thetas: [Double], rotationAxis: Double, noise: [Float]?, nonNegative: Bool) {
    let columns = lines[0].count / thetas.count
    layout = SliceLayout(columns: columns, rows: lines.count)
    beam = ParallelBeam(columns: columns, rotationAxis: rotationAxis)
    angles = thetas.enumerated().map { WindowAngle(theta: $1, slot: $0) }
    (self.noise, self.nonNegative) = (noise, nonNegative)
    projector = Projector(layout: layout, beam: beam)
    volume = ScratchMemory(byteCount: layout.volumeByteCount)
    sinogram = ScratchMemory(byteCount: layout.sinogramBlockByteCount(slots: thetas.count))
    projected = ScratchMemory(byteCount: layout.sinogramBlockByteCount(slots: thetas.count))
    for slot in thetas.indices {
      layout.storeProjection(
        lines.flatMap { $0[slot * columns..<(slot + 1) * columns] }, blocks: 0..<1, slot: slot, slots: thetas.count,
        into: sinogram.start)
    }
    let ones = [Float](repeating: 1, count: columns * columns)
    for row in lines.indices {
      ones.withUnsafeBufferPointer { layout.setSlice(row: row, in: volume.start, from: $0) }
    }
    rowWeights = project().prefix(1).flatMap { $0 }.map { $0 > Self.pathMin ? 1 / $0 : 0 }
  }

  /// The slices as they are now.
  var slices: [[Float]] { (0..<layout.rows).map(slice) }

  func slice(_ row: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: layout.columns * layout.columns) { buffer, count in
      count = layout.columns * layout.columns
      layout.copySlice(row: row, from: volume.start, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
    }
  }

  /// Filtered backprojection; processor seconds.
  func backproject(_ filter: FBPOptions.Filter) -> Double {
    let solver = solver(.filteredBackprojection(FBPOptions(filter: filter)))
    let seconds = processorSeconds { update(solver, iterations: 1) }
    if nonNegative { cutAtZero() }
    return seconds
  }

  /// Iterates, and calls `body` after each number of iterations that is in `stops`, with it and the processor seconds
  /// until there.
  func iterate(_ method: QualityMethod, stops: [Int], _ body: (_ iterations: Int, _ seconds: Double) throws -> Void)
    rethrows
  {
    let solver = solver(
      method == .mlem
        ? .expectationMaximisation(EMOptions()) : .sirt(SIRTOptions(nonNegative: nonNegative)))
    var seconds = processorSeconds {
      solver.start(
        volume: volume.start, keeping: false, sinogram: sinogram.start, slots: angles.count, blocks: 0..<1,
        angles: angles, executor: executor)
    }
    var done = 0
    for stop in stops.sorted() where stop > done {
      seconds += processorSeconds { update(solver, iterations: stop - done) }
      done = stop
      try body(stop, seconds)
    }
  }

  /// The sweeps that a preset of auto chooses.
  func sweepCount(_ preset: SubsetOptions.Preset) -> Int {
    SubsetOptions(preset: preset).sweepCount(angles: angles.count, columns: layout.columns)
  }

  /// A preset of auto with so many sweeps; processor seconds.
  func runSubsets(
    _ preset: SubsetOptions.Preset, sweeps: Int, precision: SubsetOptions.Precision = .auto
  ) -> Double {
    var options = SubsetOptions(preset: preset, nonNegative: nonNegative)
    (options.sweeps, options.precision) = (sweeps, precision)
    let solver = subsetSolver(options)
    return processorSeconds {
      begin(solver)
      while solver.nextStep < solver.stepCount { _ = solver.step(executor: executor) }
      solver.finish(into: volume.start, executor: executor)
    }
  }

  /// Auto with one weight in all sweeps, or with the rule's where it is nil. Calls `body` after each sweep with their
  /// number. Returns the mean of the slices' last weights.
  @discardableResult func sweep(
    weight: Float?, sweeps: Int, isRelaxed: Bool, _ body: (_ sweeps: Int) throws -> Void
  ) rethrows -> Float {
    var options = SubsetOptions(nonNegative: nonNegative)
    options.sweeps = sweeps
    if let weight { options.weight = .fixed(weight) }
    if !isRelaxed { options.relaxedSweeps = 0 }
    let solver = subsetSolver(options)
    begin(solver)
    while solver.nextStep < solver.stepCount {
      let sweep = solver.sweep(ofStep: solver.nextStep)
      _ = solver.step(executor: executor)
      guard solver.nextStep == solver.stepCount || solver.sweep(ofStep: solver.nextStep) > sweep else { continue }
      solver.copySlices(into: volume.start, layout: layout, block: 0, executor: executor)
      try body(sweep + 1)
    }
    let weights = solver.report.map(\.weight)
    return weights.reduce(0, +) / Float(weights.count)
  }

  /// ‖√R (b − A x)‖ / ‖√R b‖ over all slices.
  var residual: Double {
    let (columns, projected) = (layout.columns, project())
    var (difference, data) = (0.0, 0.0)
    var rows = [Float](repeating: 0, count: layout.rows * columns)
    for slot in angles.indices {
      layout.copyProjection(slot: slot, slots: angles.count, from: sinogram.start, blocks: 0..<1, into: &rows)
      for row in 0..<layout.rows {
        for bin in 0..<columns {
          let index = slot * columns + bin, value = rows[row * columns + bin], weight = Double(rowWeights[index])
          let error = Double(value - projected[row][index])
          difference += weight * error * error
          data += weight * Double(value) * Double(value)
        }
      }
    }
    return data > 0 ? (difference / data).squareRoot() : 0
  }

  /// A x of each slice, angles × columns.
  private func project() -> [[Float]] {
    projector.forward(
      volume: volume.start, sinogram: projected.start, slots: angles.count, blocks: 0..<1, angles: angles,
      executor: executor)
    var result = Array(repeating: [Float](), count: layout.rows)
    var rows = [Float](repeating: 0, count: layout.rows * layout.columns)
    for slot in angles.indices {
      layout.copyProjection(slot: slot, slots: angles.count, from: projected.start, blocks: 0..<1, into: &rows)
      for row in 0..<layout.rows { result[row] += rows[row * layout.columns..<(row + 1) * layout.columns] }
    }
    return result
  }

  private func subsetSolver(_ options: SubsetOptions) -> SubsetSolver {
    SubsetSolver(layout: layout, beam: beam, options: options, angles: angles, threads: 1)
  }

  private func begin(_ solver: SubsetSolver) {
    solver.begin(block: 0, sinogram: sinogram.start, slots: angles.count, noise: noise, executor: executor)
  }

  private func solver(_ method: Method) -> any WindowSolver {
    method.solver(layout: layout, beam: beam, anglesMax: angles.count, threads: 1)
  }

  private func update(_ solver: any WindowSolver, iterations: Int) {
    _ = solver.update(
      volume: volume.start, next: volume.start, sinogram: sinogram.start, slots: angles.count, blocks: 0..<1,
      angles: angles, iterations: iterations, executor: executor)
  }

  private func cutAtZero() {
    for row in 0..<layout.rows {
      slice(row).map { max(0, $0) }.withUnsafeBufferPointer { layout.setSlice(row: row, in: volume.start, from: $0) }
    }
  }
}

/// What `QualityBed` iterates with.
enum QualityMethod: String { case sirt, mlem }
