import KernelTypes

/// Conjugate gradients for min ‖b − A x‖², each slice with steps of its own (M. Hestenes and E. Stiefel, J. Res. Natl.
/// Bur. Stand. 49, 1952, 409–436; in this form Å. Björck, Numerical Methods for Least Squares Problems, SIAM 1996,
/// 7.4.1): q = A p, α = γ / ‖q‖², x ← x + α p, r ← r − α q, s = Aᵀ r, p ← s + (‖s‖² / γ) p, γ = ‖s‖².
///
/// A handful of iterations make the picture; further ones fit the noise. Directions go on from one `update` to the
/// next: `start` begins anew, and an update over other blocks or angles does so too.
package final class CGLSSolver: WindowSolver {
  private let workspace: SolverWorkspace
  private let state: CGLSState
  /// What the directions belong to.
  private var begun: (blocks: Range<Int>, angles: [WindowAngle])?

  private var layout: SliceLayout { workspace.layout }
  private var memory: UpdateMemory { workspace.memory }

  /// Allocates what updates need. See `Method.solver` for the arguments.
  init(
    layout: SliceLayout, beam: ParallelBeam, options: CGLSOptions, anglesMax: Int, blocksMax: Int? = nil,
    threads: Int? = nil, level: Int? = nil
  ) {
    workspace = SolverWorkspace(
      layout: layout, beam: beam, diskMask: options.diskMask, skipsOutside: true, anglesMax: anglesMax,
      blocksMax: blocksMax, threads: threads, level: level)
    state = CGLSState(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
  }

  /// Bytes that `init` allocated beside the volume and the data.
  package var scratchByteCount: Int { workspace.byteCount + state.byteCount }

  /// Bytes that `init` with the same arguments would allocate.
  static func scratchByteCount(
    layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, threads: Int? = nil
  ) -> Int {
    SolverWorkspace.byteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocksMax, threads: threads)
      + CGLSState.byteCount(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount)
  }

  /// Any volume will do; its own is zero. The next update begins with the direction of steepest descent.
  package func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], executor: some Executor
  ) {
    if !keeping { layout.clear(blocks, of: volume, executor) }
    begun = nil
  }

  /// Takes `iterations` steps. See `WindowSolver`.
  package func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual {
    let window = WindowData(sinogram: sinogram, slots: slots, blocks: blocks, angles: angles)
    memory.requireRoom(for: window, of: layout, iterations: iterations)
    workspace.prepare(angles) {}
    if begun?.blocks != blocks || begun?.angles != angles { begin(volume, window, executor) }
    if volume != UnsafeRawPointer(next) { copy(volume, to: next, blocks, executor) }
    var residual = Residual(residualSquared: 0, dataSquared: 0)
    for _ in 0..<iterations {
      residual = memory.residual(layout: layout, blocks: blocks, angles: angles.count)
      step(next, window, executor)
    }
    return residual
  }

  // MARK: Steps

  /// r = b − A x, s = Aᵀ r, p = s.
  private func begin(_ volume: UnsafeRawPointer, _ window: WindowData, _ executor: some Executor) {
    let blocks = window.blocks
    project(volume, window, executor)
    workspace.forEachRow(of: window, executor) { row in
      let bins = row.shape.columns * row.shape.lanes, data = row.data.assumingMemoryBound(to: Float.self)
      let rest = state.residuals(row, of: blocks), projected = row.scratch.assumingMemoryBound(to: Float.self)
      layout.clearUnmeasured(of: UnsafeMutableRawPointer(rest) - row.measuredOffset, block: row.block)
      for index in 0..<bins { rest[index] = data[index] - projected[index] }
      squares(rest, row.shape, into: row.sums)
      squares(data, row.shape, into: row.sums + row.shape.lanes)
    }
    backproject(window, executor)
    sumGradients(blocks, executor)
    state.clearDirections(executor)
    turn(blocks, executor) { _ in 0 }
    begun = (blocks, window.angles)
  }

  private func step(_ next: UnsafeMutableRawPointer, _ window: WindowData, _ executor: some Executor) {
    let blocks = window.blocks
    project(UnsafeRawPointer(state.directions(blocks)), window, executor)
    workspace.forEachRow(of: window, executor) { row in
      squares(
        row.scratch.assumingMemoryBound(to: Float.self), row.shape,
        into: state.projectedSquares(block: row.block - blocks.lowerBound, angle: row.angle))
    }
    setLengths(window)
    move(next, blocks, executor)
    workspace.forEachRow(of: window, executor) { row in
      let lengths = state.lengths(block: row.block - blocks.lowerBound), lanes = row.shape.lanes
      let rest = state.residuals(row, of: blocks), projected = row.scratch.assumingMemoryBound(to: Float.self)
      for bin in 0..<row.shape.columns {
        for lane in 0..<lanes { rest[bin * lanes + lane] -= lengths[lane] * projected[bin * lanes + lane] }
      }
      squares(rest, row.shape, into: row.sums)
    }
    backproject(window, executor)
    state.keepGradients()
    sumGradients(blocks, executor)
    turn(blocks, executor) { lane in
      let before = state.squaresBefore[lane]
      return before > 0 ? Float(state.squares[lane] / before) : 0
    }
  }

  private func project(_ volume: UnsafeRawPointer, _ window: WindowData, _ executor: some Executor) {
    workspace.pass.forward(
      volume: volume, sinogram: memory.residuals, slots: memory.anglesMax, blocks: window.blocks, executor: executor)
  }

  /// s = Aᵀ r within the mask.
  private func backproject(_ window: WindowData, _ executor: some Executor) {
    let blocks = window.blocks, gradients = state.gradients(blocks)
    workspace.pass.back(
      sinogram: UnsafeRawPointer(state.residuals), slots: memory.anglesMax, blocks: blocks, scratch: workspace.tiles,
      executor: executor, target: { TileTarget(next: gradients + layout.pixelOffset(block: $0)) })
  }

  /// α of each slice; 0 where nothing is left to do.
  private func setLengths(_ window: WindowData) {
    for row in layout.rows(of: window.blocks) {
      let index = row / layout.lanes - window.blocks.lowerBound, lane = row % layout.lanes
      var squared = 0.0
      for angle in window.angles.indices { squared += state.projectedSquares(block: index, angle: angle)[lane] }
      let length = state.squares[index * layout.lanes + lane] / squared
      // A NaN goes on, so that the residual tells of it.
      state.lengths(block: index)[lane] = squared == 0 ? 0 : Float(length)
    }
  }

  /// x + α p
  private func move(_ next: UnsafeMutableRawPointer, _ blocks: Range<Int>, _ executor: some Executor) {
    let directions = state.directions(blocks)
    forEachLine(blocks, executor) { line in
      let x = line.pixels(of: next), p = line.pixels(of: directions), lengths = state.lengths(block: line.index)
      for column in line.inside {
        for lane in column * line.lanes..<(column + 1) * line.lanes {
          x[lane] += lengths[lane - column * line.lanes] * p[lane]
        }
      }
    }
  }

  /// ‖s‖² of each slice, line by line, so that the order does not depend on the threads.
  private func sumGradients(_ blocks: Range<Int>, _ executor: some Executor) {
    let gradients = state.gradients(blocks)
    forEachLine(blocks, executor) { line in
      let s = line.pixels(of: gradients), sums = state.lineSquares(block: line.index, line: line.row)
      sums.update(repeating: 0, count: line.lanes)
      for column in line.inside {
        for lane in 0..<line.lanes {
          let value = Double(s[column * line.lanes + lane])
          sums[lane] += value * value
        }
      }
    }
    state.addLines(blocks.count)
  }

  /// p = s + β p, and 0 outside the mask.
  private func turn(_ blocks: Range<Int>, _ executor: some Executor, _ factor: (_ lane: Int) -> Float) {
    let gradients = state.gradients(blocks), directions = state.directions(blocks)
    forEachLine(blocks, executor) { line in
      let s = line.pixels(of: gradients), p = line.pixels(of: directions)
      for lane in 0..<line.lanes {
        let beta = factor(line.index * layout.lanes + lane)
        for place in stride(from: lane, to: layout.columns * line.lanes, by: line.lanes) {
          let isInside = line.inside.contains(place / line.lanes)
          // 0 times what another block left there need not be 0.
          p[place] = !isInside ? 0 : beta == 0 ? s[place] : s[place] + beta * p[place]
        }
      }
    }
  }

  /// A line of pixels of a block.
  private struct Line {
    let index: Int
    let row: Int
    let lanes: Int
    let inside: Range<Int>
    let offset: Int

    func pixels(of volume: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Float> {
      (volume + offset).assumingMemoryBound(to: Float.self)
    }
  }

  private func forEachLine(_ blocks: Range<Int>, _ executor: some Executor, _ body: (Line) -> Void) {
    executor.forEach(count: blocks.count * layout.columns) { item in
      let index = item / layout.columns, row = item % layout.columns, block = blocks.lowerBound + index
      let shape = layout.shape(block: block)
      body(
        Line(
          index: index, row: row, lanes: shape.lanes, inside: workspace.mask.columns(row: row),
          offset: layout.pixelOffset(block: block) + row * shape.volumePitch * shape.pixelByteCount))
    }
  }

  private func copy(
    _ volume: UnsafeRawPointer, to next: UnsafeMutableRawPointer, _ blocks: Range<Int>, _ executor: some Executor
  ) {
    forEachLine(blocks, executor) { line in
      (next + line.offset).copyMemory(from: volume + line.offset, byteCount: layout.columns * line.lanes * 4)
    }
  }

  /// Σ v² over the bins, for each lane.
  private func squares(
    _ bins: UnsafePointer<Float>, _ shape: KernelShape, into sums: UnsafeMutablePointer<Double>
  ) {
    sums.update(repeating: 0, count: shape.lanes)
    for bin in 0..<shape.columns {
      for lane in 0..<shape.lanes {
        let value = Double(bins[bin * shape.lanes + lane])
        sums[lane] += value * value
      }
    }
  }
}
