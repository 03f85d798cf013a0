package import KernelTypes

/// Ordered subsets with momentum and a step of total variation in every subset, block by block: weighted least squares,
/// ½ ‖√R (b − A x)‖² + λ′ Σ |∇x|, of all projections of a scan.
///
/// One step takes the next subset of the angles (D. Kim, S. Ramani and J. A. Fessler, IEEE Trans. Med. Imaging 34,
/// 2015, 167–178):
///
///     z = y + C Aᵀ R (b − A y)                     over the subset, C and R as SIRT's
///     x = argmin ½ Σ (x − z)² / τ + λ Σ |∇x|       nearly: `TotalVariationStep` from the last step's dual field
///     y = x + β (x − x before)
///
/// It starts from filtered backprojection, cut at zero. λ is that of `WeightRule` for each slice by itself; its noise
/// is given, or comes from the residual. The last sweeps are relaxed. C is taken over the subset that meets a voxel
/// most, so that it is the same for all of them, and τ is C in units of its value where all rays meet.
///
/// Subsets are projected in fixed point, but for slices whose range is too wide: `SubsetSolver-precision`.
///
/// On a padded grid what lies beyond the detector's edge takes part, and no bins are made up. Nor are they where a
/// slice has more columns than the detector.
///
/// A block's result is a function of its projections alone, of each slice by itself: the same bits for any lane width,
/// cut into blocks, executor and number of threads. All memory is allocated by `init`.
package final class SubsetSolver {
  let options: SubsetOptions
  let layout: SliceLayout
  /// As `layout`, with the grid's columns.
  let grid: SliceLayout
  let padding: Int
  let mask: DiskMask
  let angles: [WindowAngle]
  let schedule: SubsetSchedule
  let rule: WeightRule
  let kernels: KernelTable
  let memory: SubsetMemory
  let tiles: TileScratch
  let workers: Int
  let filter: RowFilter
  let samples: SliceSamples
  /// In two dimensions, and in three.
  private let penalty: TotalVariationStep?, slabPenalty: SlabVariationStep?
  let gridBeam: ParallelBeam
  /// Of one block at a time; nil where all slices are projected in float.
  let fixedPoint: FixedPoint?
  /// Whether some of its slices may be projected in float.
  let isMixed: Bool
  /// Of each subset of the schedule.
  let passes: [ProjectionPass]
  /// max τ; 0 before the weights are made.
  private var stepMax: Float = 0
  var state: SubsetState
  /// Mean weights of the rays of the block's slices.
  var meanWeights: [Float] = []
  var sinogram: (start: UnsafeRawPointer, slots: Int)?
  /// Which of the block's slices are there, and which of these count; all in two dimensions.
  var slab = Slab(count: 0, own: 0..<0)

  /// Allocates what a block needs. `angles` are all projections of the scan, in any order; `padding` pixels are added
  /// to the grid on each side. At most `threads` threads work. `level` is the x86-64 level of the instructions, the
  /// processor's own if nil.
  package init(
    layout: SliceLayout, beam: ParallelBeam, options: SubsetOptions, angles: [WindowAngle], padding: Int = 0,
    threads: Int, level: Int? = nil
  ) {
    options.check()
    precondition(layout.columns == beam.columns, "a layout of \(layout.columns) columns, a detector of \(beam.columns)")
    precondition(!angles.isEmpty && padding >= 0 && threads >= 1, "\(angles.count) angles, padding \(padding)")
    self.options = options
    self.layout = layout
    self.padding = padding
    self.angles = angles
    let grid = Self.grid(layout, padding: padding), kernels = KernelTable(level: level)
    self.grid = grid
    self.kernels = kernels
    workers = threads
    mask = DiskMask(columns: grid.columns, isDisk: options.diskMask)
    let gridBeam = ParallelBeam(columns: grid.columns, rotationAxis: beam.rotationAxis + Double(padding))
    self.gridBeam = gridBeam
    schedule = SubsetSchedule(
      thetas: angles.map(\.theta), columns: layout.columns, options: options, period: layout.period)
    // A voxel is seen by so many of them.
    rule = WeightRule(angles: Double(angles.count) * layout.measuredPart, columns: layout.columns)
    let size = schedule.subsets[0].count, isFixed = Self.isFixed(options, subsetSize: size, grid: grid)
    isMixed = isFixed && options.precision == .auto
    memory = SubsetMemory(
      layout: layout, grid: grid, angles: angles.count, subsetSize: size, threads: threads, isMixed: isMixed,
      dimensions: options.dimensions)
    fixedPoint = isFixed ? FixedPoint(layout: grid, anglesMax: size, blocksMax: 1, workers: threads) : nil
    tiles = TileScratch(layout: grid, workers: threads)
    filter = RowFilter(
      binWeights: layout.overlapWeights(rotationAxis: beam.rotationAxis, padding: padding), filter: .hann,
      workers: threads)
    samples = SliceSamples(columns: layout.columns, gridColumns: grid.columns)
    let isSlab = options.dimensions == 3
    penalty =
      isSlab ? nil : TotalVariationStep(layout: grid, innerSteps: options.innerSteps, threads: threads, level: level)
    slabPenalty =
      isSlab ? SlabVariationStep(layout: grid, innerSteps: options.innerSteps, threads: threads, level: level) : nil
    passes = schedule.subsets.map { subset in
      let plan = AnglePlan(capacity: subset.count)
      plan.prepare(subset.map { angles[$0] }, beam: gridBeam) { $0 }
      return ProjectionPass(layout: grid, kernels: kernels, plan: plan, isDisk: options.diskMask)
    }
    state = SubsetState(lanes: layout.lanes)
  }

  /// Pixels on each side of a grid that has room for what lies a little beyond the detector: an eighth of the columns
  /// in all.
  package static func padding(columns: Int) -> Int {
    min((columns + 15) / 16, (SliceLayout.columnsMax - columns) / 2)
  }

  /// Bytes that `init` allocated.
  var scratchByteCount: Int {
    Self.scratchByteCount(
      layout: layout, options: options, angles: angles.count, padding: padding, threads: workers)
  }

  /// Bytes that `init` with the same arguments would allocate.
  package static func scratchByteCount(
    layout: SliceLayout, options: SubsetOptions, angles: Int, padding: Int, threads: Int
  ) -> Int {
    let grid = grid(layout, padding: padding)
    let size = SubsetSchedule.subsetSizeMax(angles: angles, options: options)
    let plans = options.doubledSweeps > 0 ? 2 : 1, isFixed = isFixed(options, subsetSize: size, grid: grid)
    return SubsetMemory.byteCount(
      layout: layout, grid: grid, angles: angles, subsetSize: size, threads: threads,
      isMixed: isFixed && options.precision == .auto, dimensions: options.dimensions)
      + (isFixed ? FixedPoint.byteCount(layout: grid, anglesMax: size, blocksMax: 1, workers: threads) : 0)
      + TileScratch.byteCount(layout: grid, workers: threads)
      + RowFilter.byteCount(columns: grid.columns, workers: threads)
      + (options.dimensions == 3
        ? SlabVariationStep.byteCount(layout: grid, threads: threads)
        : TotalVariationStep.byteCount(layout: grid, innerSteps: options.innerSteps, threads: threads))
      + plans * AnglePlan.byteCount(capacity: angles)
  }

  static func grid(_ layout: SliceLayout, padding: Int) -> SliceLayout {
    layout.padded(by: padding)
  }

  /// Steps of a block: the same for each.
  package var stepCount: Int { schedule.steps.count }
  /// Steps of the block that were taken.
  package var nextStep: Int { state.nextStep }
  /// Sweeps over all angles.
  var sweepCount: Int { schedule.sweeps }
  /// The sweep, from 0, that a step is part of.
  package func sweep(ofStep step: Int) -> Int { schedule.steps[step].sweep }

  /// One subset of the block that was begun. Returns its residual before the step, over its angles; not finite if the
  /// data or the volume are not.
  package func step(executor: some Executor) -> Residual {
    precondition(state.nextStep < stepCount, "all \(stepCount) steps of block \(state.block) were taken")
    let step = schedule.steps[state.nextStep], subset = schedule.subsets[step.subset], pass = passes[step.subset]
    project(pass, executor)
    compare(subset, length: step.relaxation * step.share, executor)
    correctInPrecision(pass, angles: subset.count, executor)
    penalise(step, executor)
    let residual = addResiduals(subset.count)
    state.go(to: state.nextStep + 1)
    if step.endsSweep { endSweep(step.sweep, executor) }
    return residual
  }

  /// y + scales · Aᵀ residuals, in place.
  func correct(
    _ pass: ProjectionPass, residuals: UnsafeMutableRawPointer, scales: UnsafePointer<Float>, pitch: Int,
    _ executor: some Executor
  ) {
    let iterate = volume(memory.iterate)
    pass.back(
      sinogram: residuals, slots: residualSlots, blocks: blocks, scratch: tiles, executor: executor,
      target: { block in
        let next = iterate + grid.pixelOffset(block: block)
        return TileTarget(
          next: next,
          update: TileTarget.Update(
            x: next, scales: scales, scalesPitch: pitch, isNonNegative: false, streams: false))
      })
  }

  /// Turns the projected rows of a subset into R (b − A y) times the step's length.
  private func compare(_ subset: [Int], length: Float, _ executor: some Executor) {
    let shape = layout.measuredShape(block: state.block), offset = grid.measuredOffset(block: state.block)
    executor.forEach(count: subset.count) { index in
      let bins = residualRow(index), weights = memory.relaxedWeights(angle: index)
      let inverse = memory.rowWeights(angle: subset[index])
      for bin in 0..<shape.columns { weights[bin] = inverse[bin] * length }
      grid.clearUnmeasured(of: bins, block: state.block)
      kernels.residualRow(
        bins + offset, data(angle: subset[index]), weights, shape, memory.sums(angle: index))
      guard options.weighsCounts else { return }
      weigh(bins + offset, by: data(angle: subset[index]), lanes: shape.lanes)
    }
  }

  /// x and y of the step, from z.
  private func penalise(_ step: SubsetSchedule.Step, _ executor: some Executor) {
    let block = state.block, offset = grid.pixelOffset(block: block)
    func factors(_ lane: Int) -> (weight: Float, epsilon: Float) {
      let epsilon: Float =
        if case .huber(let epsilon) = options.penalty { epsilon * state.lanes[lane].scale } else { 0 }
      return (state.lanes[lane].weight * step.relaxation, epsilon)
    }
    let job = TotalVariationJob(
      shape: grid.shape(block: block), data: volume(memory.iterate) + offset, dual: volume(memory.dual) + offset,
      previous: volume(memory.previous) + offset, steps: memory.steps(row: 0), stepsPitch: memory.scalesPitch,
      momentum: step.momentum, isNonNegative: options.nonNegative)
    if let slabPenalty {
      slabPenalty.setFactors(count: slab.count, stepMax: stepMax, factors)
      slabPenalty.run(job, across: volume(memory.across) + offset, executor)
    } else {
      penalty?.setFactors(lanes: grid.lanes(block: block), stepMax: stepMax, factors)
      penalty?.run(job, executor)
    }
  }

  /// Adds the subset's squares to those of the sweep, and all together.
  private func addResiduals(_ count: Int) -> Residual {
    let width = layout.lanes(block: state.block)
    var residualSquared = 0.0, dataSquared = 0.0
    for lane in 0..<layout.rows(of: blocks).count {
      for angle in 0..<count {
        let sums = memory.sums(angle: angle) + lane
        state.lanes[lane].residualSquared += sums[0]
        guard slab.own.contains(lane) else { continue }
        residualSquared += sums[0]
        dataSquared += sums[width]
      }
    }
    return Residual(residualSquared: residualSquared, dataSquared: dataSquared)
  }

  /// Of each row of the block, or of a slab's own ones; whole after the last step.
  package var report: [SubsetReport] {
    state.lanes[slab.own].map {
      SubsetReport(
        noise: $0.noise, weight: $0.weight, scale: $0.scale, residual: $0.residual, isNoiseGiven: $0.isNoiseGiven,
        isFloat: $0.isFloat || fixedPoint == nil && options.precision != .float, outgrownCount: Int($0.outgrownCount))
    }
  }

  /// Writes the block's slices into `volume`, which holds all blocks of the layout.
  package func finish(into volume: UnsafeMutableRawPointer, executor: some Executor) {
    finish(into: volume, layout: layout, block: state.block, executor: executor)
  }

  /// Writes a slab's own slices into a block of `volume`, which holds all blocks of another layout of as many columns.
  package func finish(
    into volume: UnsafeMutableRawPointer, layout target: SliceLayout, block: Int, executor: some Executor
  ) {
    precondition(state.nextStep == stepCount, "step \(state.nextStep) of \(stepCount)")
    copySlices(into: volume, layout: target, block: block, executor: executor)
  }

  /// The same after any step.
  package func copySlices(
    into volume: UnsafeMutableRawPointer, layout target: SliceLayout, block: Int, executor: some Executor
  ) {
    precondition(
      target.columns == layout.columns && target.rows(of: block..<block + 1).count == slab.own.count,
      "slices \(slab.own) for block \(block) of \(target)")
    let source = self.volume(memory.previous) + grid.pixelOffset(block: state.block), lane = MemoryLayout<Float>.stride
    let pixel = grid.shape(block: state.block).pixelByteCount, pixelInto = target.shape(block: block).pixelByteCount
    let own = slab.own.lowerBound * lane, size = slab.own.count * lane, isWhole = pixel == pixelInto && own == 0
    let inside = DiskMask(columns: layout.columns, isDisk: options.diskMask)
    executor.forEach(count: layout.columns) { row in
      let from = source + ((row + padding) * grid.shape.volumePitch + padding) * pixel
      let into = volume + (target.pixelOffset(block: block) + row * target.shape.volumePitch * pixelInto)
      let columns = inside.columns(row: row)
      into.initializeMemory(as: UInt8.self, repeating: 0, count: layout.columns * pixelInto)
      if isWhole {
        (into + columns.lowerBound * pixel).copyMemory(
          from: from + columns.lowerBound * pixel, byteCount: columns.count * pixel)
      } else {
        for column in columns {
          (into + column * pixelInto).copyMemory(from: from + (column * pixel + own), byteCount: size)
        }
      }
    }
  }
}

// Where things lie.
extension SubsetSolver {
  var blocks: Range<Int> { state.block..<state.block + 1 }
  var residualSlots: Int { schedule.subsets[0].count }

  /// The start that a volume of all blocks would have, of which `memory` is the present one.
  func volume(_ memory: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    memory - state.block * grid.volumeBlockByteCount
  }

  /// The first bin that was measured at an angle.
  func data(angle: Int) -> UnsafeRawPointer {
    guard let sinogram else { preconditionFailure("no block was begun") }
    return sinogram.start
      + layout.binOffset(block: state.block, of: blocks, slot: angles[angle].slot, slots: sinogram.slots)
      + layout.measuredOffset(block: state.block)
  }

  /// Bin 0 of the grid in a subset's row.
  func residualRow(_ index: Int) -> UnsafeMutableRawPointer { memory.residuals + residualOffset(index) }

  func residualOffset(_ index: Int) -> Int {
    grid.binOffset(block: state.block, of: blocks, slot: index, slots: residualSlots)
  }
}

// Weights that depend on the angles alone.
extension SubsetSolver {
  /// R, C and τ; once.
  func prepareWeights(_ executor: some Executor) {
    guard stepMax == 0 else { return }
    let rowSums = RowSums(beam: gridBeam, mask: mask)
    executor.forEach(count: angles.count) { angle in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: grid.columns) { inverse in
        rowSums.inverse(theta: angles[angle].theta, into: inverse.baseAddress!)
        memory.rowWeights(angle: angle).update(
          from: inverse.baseAddress! + grid.measured.lowerBound, count: grid.measured.count)
      }
    }
    executor.forEach(count: grid.columns) { scaleColumns(row: $0) }
    for row in 0..<grid.columns {
      for column in 0..<grid.columns { stepMax = max(stepMax, memory.steps(row: row)[column]) }
    }
    // Where no ray meets a voxel nothing is ever changed, by whatever step.
    stepMax = stepMax == 0 ? 1 : stepMax
  }

  /// C = 1 / the largest column sum over the subsets, and τ = C times the angles of the largest, at most 1: voxels that
  /// few rays meet would otherwise shorten everyone's dual steps.
  private func scaleColumns(row: Int) {
    let largest = memory.scales(row: row), steps = memory.steps(row: row), count = Float(schedule.subsets[0].count)
    let inside = mask.columns(row: row)
    for index in 0..<schedule.count {
      kernels.columnSums(
        row, passes[index].plan.back, grid.columns, grid.measured, index == 0 ? largest : steps)
      if index > 0 { for column in 0..<grid.columns { largest[column] = max(largest[column], steps[column]) } }
    }
    for column in 0..<memory.scalesPitch {
      let takesPart = inside.contains(column) && largest[column] > Float(sumMin)
      largest[column] = takesPart ? 1 / largest[column] : 0
      steps[column] = min(1, largest[column] * count)
    }
  }
}
