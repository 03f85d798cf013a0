import Host
import Rings
import Tomography
import Topics

extension ReconstructStage {
  /// Iterates over all projections of the scan, one block of slices after the other: the sinogram of a block is read back from
  /// the topic, so that a worker needs memory for one block's sinogram and not for the whole scan's. A successor goes on behind the blocks
  /// that its predecessor completed.
  func sweep(iterations: Int, subsets: Int, cursor: UInt64) throws {
    let layout = configuration.layout
    let groups = orderedSubsets(angleCount: applied.count, subsets: subsets).map { group in
      group.map { WindowAngle(theta: applied[$0].theta, slot: $0) }
    }
    let sinogram = SinogramBuffer(layout: layout, blocks: 1, slots: applied.count)
    let solver = SIRTSolver(
      layout: layout, beam: configuration.beam, options: configuration.options, anglesMax: groups.map(\.count).max() ?? 0, blocksMax: 1,
      threads: executor.width)
    corrections.startOver()
    let current = volume.newest
    let swept = try volume.swept()
    if let swept { corrections.resumeCounting(from: swept.update.pixels) }
    var last = swept?.update
    for block in (swept?.blocks ?? 0)..<layout.blockCount {
      try gather(block, into: sinogram)
      var source = current.base
      for iteration in 0..<iterations {
        let start = Machine.monotonicNanoseconds
        var (residualSquared, dataSquared) = (0.0, 0.0)
        for group in groups {
          let residual = solver.update(
            volume: source, next: volume.nextBase, sinogram: sinogram.base, slots: sinogram.slots, blocks: block..<block + 1,
            angles: group, iterations: 1, executor: executor)
          residualSquared += residual.residualSquared
          dataSquared += residual.dataSquared
          source = UnsafeRawPointer(volume.nextBase)
        }
        let rows = layout.rows(of: block..<block + 1)
        let first = configuration.rows.lowerBound
        let update = UpdateEvent(
          phase: .final, index: iteration, iterations: 1, cursor: cursor, generation: current.number + 1, projections: 0..<applied.count,
          rows: first + rows.lowerBound..<first + rows.upperBound, residualSquared: residualSquared, dataSquared: dataSquared,
          duration: Machine.monotonicNanoseconds - start, pixels: corrections.pixelCounts)
        try report(update)
        last = update
      }
      if let last { volume.markSwept(blocks: block + 1, by: last) }
      FaultPoint.blockSwept.reach()
    }
    if let last { volume.publish(last) }
  }

  /// Reads one block's rows of every projection again, corrected with all flats and darks of the scan.
  private func gather(_ block: Int, into sinogram: SinogramBuffer) throws {
    let columns = configuration.layout.columns
    let rows = configuration.layout.rows(of: block..<block + 1)
    // A projection that comes from the journal lies in the reader's only buffer, so some are copied and then corrected in parallel.
    let batch = RowBatch(capacity: executor.width, rowCount: rows.count, columns: columns)
    for (ordinal, projection) in applied.enumerated() {
      let pixels = try ChunkPixels(projections.event(at: projection.sequence), rows: configuration.rows, columns: columns)
      batch.add(pixels, rows: rows, slot: ordinal)
      if batch.isFull || ordinal == applied.count - 1 {
        corrections.store(batch, block: block, in: sinogram, executor)
        batch.removeAll()
      }
    }
  }
}
