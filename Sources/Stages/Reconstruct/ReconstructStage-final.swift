import Host
import KernelTypes
import RunModel
import Tomography
import Topics

extension ReconstructStage {
  /// Iterates over all projections of the scan, one block of slices after the other: the sinogram of a block is read
  /// back from the topic, so that a worker needs memory for one block's sinogram and not for the whole scan's. A
  /// successor goes on behind the blocks that its predecessor completed.
  func runFinalIterations(iterations: Int, subsets: Int, cursor: UInt64) throws {
    try checkFields()
    try recallProjections()
    let layout = configuration.layout
    let angles = applied.all.enumerated().map { WindowAngle(theta: $1.theta, slot: $0) }
    let groups = self.subsets(of: angles, count: subsets), methods = configuration.methods
    let sinogram = SinogramBuffer(layout: layout, blocks: 1, slots: applied.count)
    let (solver, initial) = (
      finalSolver(methods.final, anglesMax: angles.count),
      methods.initial.map { finalSolver($0, anglesMax: angles.count) }
    )
    corrections.startOver()
    let current = volume.newest
    let swept = try volume.finalProgress()
    if let swept { corrections.resumeCounting(from: swept.update.pixels) }
    var last = swept?.update
    for block in (swept?.blocks ?? 0)..<layout.blockCount {
      try gather(block, into: sinogram)
      if configuration.removesStripes { removeStripes(block, from: sinogram) }
      let blocks = block..<block + 1
      var source = begin(solver, methods.final, sinogram, blocks: blocks, angles: angles, with: initial.first)
      for iteration in 0..<iterations {
        let start = Machine.monotonicNanoseconds
        let residual = iterate(solver, from: source, sinogram, blocks: blocks, groups: groups, iterations: 1)
        source = UnsafeRawPointer(volume.nextBase)
        let rows = layout.rows(of: block..<block + 1)
        let first = configuration.rows.lowerBound
        let update = UpdateEvent(
          phase: .final, index: iteration, iterations: 1, cursor: cursor, generation: current.number + 1,
          projections: 0..<applied.count,
          rows: first + rows.lowerBound..<first + rows.upperBound, residualSquared: residual.residualSquared,
          dataSquared: residual.dataSquared,
          duration: Machine.monotonicNanoseconds - start, pixels: corrections.pixelCounts)
        if try report(update) { didWork() }
        last = update
      }
      if let last { volume.markFinal(blocks: block + 1, by: last) }
      FaultPoint.blockSwept.reach()
    }
    if let last { volume.publish(last) }
  }

  private func finalSolver(_ method: Method, anglesMax: Int) -> any WindowSolver {
    method.solver(
      layout: configuration.layout, beam: configuration.beam, anglesMax: anglesMax, blocksMax: 1,
      threads: executor.width)
  }

  /// Reads one block's rows of every projection again, corrected with all flats and darks of the scan.
  private func gather(_ block: Int, into sinogram: SinogramBuffer) throws {
    let columns = configuration.layout.columns
    let rows = configuration.layout.rows(of: block..<block + 1)
    // A projection that comes from the journal lies in the reader's only buffer, so some are copied and then corrected
    // in parallel.
    let batch = RowBatch(capacity: executor.width, rowCount: rows.count, columns: columns)
    for (ordinal, projection) in applied.all.enumerated() {
      let pixels = try RowPixels(
        projections.event(at: projection.sequence), rows: configuration.rows, columns: columns)
      batch.add(pixels, rows: rows, slot: ordinal)
      if batch.isFull || ordinal == applied.count - 1 {
        corrections.store(batch, block: block, in: sinogram, executor)
        batch.removeAll()
      }
    }
  }
}
