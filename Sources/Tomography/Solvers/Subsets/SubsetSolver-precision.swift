import KernelTypes

// Projections of subsets in fixed point.
//
// Voxels and residuals become 16-bit numbers with a scale for each slice; the volume itself stays in float. What that
// costs is small beside the noise, unless a few bins are much larger than it: they make a step of the residuals coarse.
// Zingers are, and with the mask rays that meet little of the disk, whose residuals R makes large. With `auto` a slice
// is therefore projected in float where its largest bin is too many times its noise. A block that has slices of both
// kinds is projected twice, each time for one kind; each is what it would be by itself.
extension SubsetSolver {
  /// The largest R b of a slice in fixed point, in units of its noise times R of a ray through the middle. A step of
  /// residuals of that size is a tenth of the noise, which adds less than a thousandth to its variance.
  private static let rangeMax: Float = 2000

  /// Whether there are slices that are projected in fixed point. That is asked of the widest blocks that there are, so
  /// that it does not depend on how rows are cut.
  static func isFixed(_ options: SubsetOptions, subsetSize: Int, grid: SliceLayout) -> Bool {
    options.precision != .float && subsetSize <= fixedAnglesMax(columns: grid.columns, lanes: grid.lanes)
  }

  /// The most angles of a subset in fixed point, on a grid of so many columns.
  static func fixedAnglesMax(columns: Int, lanes: Int) -> Int {
    let lanes = max(lanes, 64)
    return FixedPoint.anglesMax(SliceLayout(columns: columns, rows: lanes, lanes: lanes))
  }

  /// Why none is, though `options` ask for it, of a scan of so many angles and columns on a grid that is not padded;
  /// nil where some are.
  package static func floatReason(_ options: SubsetOptions, angles: Int, columns: Int) -> String? {
    let size = SubsetSchedule.subsetSizeMax(angles: angles, options: options)
    let most = fixedAnglesMax(columns: columns, lanes: 64)
    guard options.precision == .fixed, size > most else { return nil }
    return "subsets of \(size) angles are more than the \(most) that fixed point holds at \(columns) columns"
  }

  /// Which slices of the block are projected in float.
  func chooseFloat(_ executor: some Executor) {
    guard let fixedPoint, isMixed else { return }
    let block = state.block, lanes = layout.lanes(block: block)
    fixedPoint.clearFound()
    executor.share(count: angles.count, workers: min(executor.width, workers)) { worker, angle in
      let bins = data(angle: angle), weights = memory.rowWeights(angle: angle)
      for bin in 0..<layout.measured.count where weights[bin] > 0 {
        kernels.notePeaks(
          bins + bin * lanes * MemoryLayout<Float>.size, 1, lanes, weights[bin] * Float(grid.columns),
          fixedPoint.found(worker: worker, block: block))
      }
    }
    let peaks = fixedPoint.largestFound(block: block)
    for lane in 0..<layout.rows(of: blocks).count {
      state.lanes[lane].isFloat = peaks[lane] > Self.rangeMax * state.lanes[lane].noise
    }
  }

  /// Slices (lanes) of the block that are projected in float, and the memory of fixed point where there are others.
  private var precisions: (float: [Int], fixedPoint: FixedPoint?) {
    let rows = layout.rows(of: blocks).count, float = (0..<rows).filter { state.lanes[$0].isFloat }
    return (float, float.count < rows ? fixedPoint : nil)
  }

  /// Residuals = A y over a pass.
  func project(_ pass: ProjectionPass, _ executor: some Executor) {
    let (float, fixedPoint) = precisions
    guard let fixedPoint else { return forward(pass, into: memory.residuals, executor) }
    let peaks = fixedPoint.peaks(block: state.block), outgrown = fixedPoint.outgrown(block: state.block)
    for lane in peaks.indices { peaks[lane] = state.lanes[lane].peak }
    var fixed = pass
    fixed.fixedPoint = fixedPoint
    forward(fixed, into: memory.residuals, executor)
    for lane in peaks.indices {
      state.lanes[lane].peak = peaks[lane]
      if outgrown[lane] != 0 && !state.lanes[lane].isFloat { state.lanes[lane].outgrownCount += 1 }
    }
    guard !float.isEmpty else { return }
    forward(pass, into: memory.floats, executor)
    forEachBin(pass.plan.count, executor) { mixed, floats in
      for lane in float { mixed[lane] = floats[lane] }
    }
  }

  private func forward(
    _ pass: ProjectionPass, into residuals: UnsafeMutableRawPointer, _ executor: some Executor
  ) {
    pass.forward(
      volume: volume(memory.iterate), sinogram: residuals, slots: residualSlots, blocks: blocks, executor: executor)
  }

  /// y + C Aᵀ residuals, in place. A slice to which zeros are added in the other precision keeps its bits: a sum is
  /// never −0, so neither is what it was added to.
  func correctInPrecision(_ pass: ProjectionPass, angles: Int, _ executor: some Executor) {
    let scales = UnsafePointer(memory.scales(row: 0)), pitch = memory.scalesPitch
    let (float, fixedPoint) = precisions
    guard let fixedPoint else {
      return correct(pass, residuals: memory.residuals, scales: scales, pitch: pitch, executor)
    }
    if !float.isEmpty {
      let isFloat = (0..<grid.lanes(block: state.block)).map { float.contains($0) }
      forEachBin(angles, executor) { mixed, floats in
        for lane in isFloat.indices {
          floats[lane] = isFloat[lane] ? mixed[lane] : 0
          if isFloat[lane] { mixed[lane] = 0 }
        }
      }
    }
    var fixed = pass
    fixed.fixedPoint = fixedPoint
    correct(fixed, residuals: memory.residuals, scales: scales, pitch: pitch, executor)
    if !float.isEmpty { correct(pass, residuals: memory.floats, scales: scales, pitch: pitch, executor) }
  }

  /// Calls `body` with the lanes of each bin of a subset's residuals, and with those in float, whose margins are zeros.
  private func forEachBin(
    _ angles: Int, _ executor: some Executor,
    _ body: (_ mixed: UnsafeMutablePointer<Float>, _ floats: UnsafeMutablePointer<Float>) -> Void
  ) {
    let lanes = grid.lanes(block: state.block)
    executor.forEach(count: angles) { index in
      let offset = residualOffset(index)
      grid.clearMargins(of: memory.floats + offset, block: state.block)
      let mixed = (memory.residuals + offset).assumingMemoryBound(to: Float.self)
      let floats = (memory.floats + offset).assumingMemoryBound(to: Float.self)
      for bin in 0..<grid.columns { body(mixed + bin * lanes, floats + bin * lanes) }
    }
  }
}
