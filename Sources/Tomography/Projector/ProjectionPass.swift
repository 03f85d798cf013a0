internal import KernelTypes

/// Runs the kernels over blocks: the loops that Projector and SIRTSolver have in common.
struct ProjectionPass {
  let layout: SliceLayout
  let kernels: KernelTable
  let plan: AnglePlan
  /// Whether voxels outside the inscribed disk hold zeros: then tiles there need no work.
  var isDisk = false
  /// Projects in fixed point; nil for float. One pass at a time.
  var fixedPoint: FixedPoint?

  /// A for `blocks`; `sinogram` holds exactly those. Work is split by block, and as `ForwardCut` says. Returns how many
  /// voxels did not fit in fixed point: then their blocks were projected once more.
  @discardableResult func forward(
    volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, slots: Int, blocks: Range<Int>, executor: some Executor
  ) -> Int {
    if let fixedPoint {
      return forwardFixed(
        volume: volume, sinogram: sinogram, slots: slots, blocks: blocks, fixedPoint, executor)
    }
    let width = max(1, executor.width)
    let cut = ForwardCut(layout: layout, blocks: blocks, rays: plan.count, threads: max(1, executor.cores))
    executor.share(count: cut.count, workers: width) { _, item in
      let piece = cut.piece(item), offset = piece.lanes.lowerBound * MemoryLayout<Float>.size
      var shape = shape(block: piece.block)
      (shape.usedLanes, shape.usedPairs) = (piece.lanes.count, piece.pairs)
      kernels.forward(
        volume + layout.pixelOffset(block: piece.block) + offset,
        sinogram + layout.binOffset(block: piece.block, of: blocks, slot: 0, slots: slots) + offset,
        plan.rays(part: piece.part, of: cut.parts), shape)
    }
    return 0
  }

  func shape(block: Int) -> KernelShape {
    var shape = layout.shape(block: block)
    shape.isDisk = isDisk
    return shape
  }

  /// Aᵀ for `blocks`, tile by tile, from left to right in a band: `finish` receives each tile's block and sums.
  /// `prefetching` is the volume that `finish` reads or writes. Returns how many bins were not finite, in fixed point.
  @discardableResult func back(
    sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>, prefetching volume: UnsafeRawPointer,
    scratch: TileScratch,
    executor: some Executor, finish: (_ block: Int, _ tile: Tile, _ sums: UnsafeRawPointer) -> Void
  ) -> Int {
    // Sound: where sums are kept, the target is only fetched.
    let volume = UnsafeMutableRawPointer(mutating: volume)
    return back(
      sinogram: sinogram, slots: slots, blocks: blocks, scratch: scratch, executor: executor,
      target: { TileTarget(next: volume + layout.pixelOffset(block: $0), keepsSums: true) }, finish: finish)
  }

  /// Aᵀ for `blocks`, tile by tile. `target` says where a block's pixels go; `sinogram` holds exactly those blocks.
  @discardableResult func back(
    sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>, scratch: TileScratch, executor: some Executor,
    target: (_ block: Int) -> TileTarget,
    finish: (_ block: Int, _ tile: Tile, _ sums: UnsafeRawPointer) -> Void = { _, _, _ in }
  ) -> Int {
    let bands = (layout.columns + Tile.edge - 1) / Tile.edge
    let misfits = fixedPoint.map {
      prepareBack(sinogram: sinogram, slots: slots, blocks: blocks, $0, executor)
    }
    let workers = min(executor.width, scratch.workers, fixedPoint?.workers ?? .max)
    executor.share(count: blocks.count * bands, workers: workers) { worker, item in
      let block = blocks.lowerBound + item / bands, row = item % bands * Tile.edge
      let bins = sinogram + layout.binOffset(block: block, of: blocks, slot: 0, slots: slots),
        shape = layout.shape(block: block)
      let memory = scratch.take(worker: worker), target = target(block)
      for column in stride(from: 0, to: layout.columns, by: Tile.edge) {
        let tile = Tile(column: column, row: row, columns: layout.columns)
        if isDisk && Tile.isOutsideDisk(column: column, row: row, columns: layout.columns) {
          copy(tile, target, shape)
        } else if let fixedPoint {
          kernels.backTileFixed(
            tile, memory.buffer, fixedPoint.pairs(index: block - blocks.lowerBound), plan.back, shape,
            fixedPoint.binScales(block: block).units, fixedPoint.kernelMemory(worker: worker), target)
        } else {
          kernels.backTile(tile, memory.buffer, bins, plan.back, shape, memory.taps, target)
        }
        finish(block, tile, memory.buffer)
      }
    }
    return misfits ?? 0
  }
}

extension ProjectionPass {
  /// What an update leaves of a tile without weights.
  private func copy(_ tile: Tile, _ target: TileTarget, _ shape: KernelShape) {
    guard let update = target.update, update.x != UnsafeRawPointer(target.next) else { return }
    for row in tile.row..<tile.row + tile.height {
      let offset = (row * shape.volumePitch + tile.column) * shape.pixelByteCount
      (target.next + offset).copyMemory(from: update.x + offset, byteCount: tile.width * shape.pixelByteCount)
    }
  }
}
