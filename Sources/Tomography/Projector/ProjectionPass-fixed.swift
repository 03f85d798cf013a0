internal import KernelTypes
internal import Synchronization

extension ProjectionPass {
  /// `forward` in fixed point. Parts of the rays each convert what they read, so lanes are shared before rays.
  func forwardFixed(
    volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, slots: Int, blocks: Range<Int>,
    _ fixedPoint: FixedPoint, _ executor: some Executor
  ) -> Int {
    prepareForward(volume, blocks: blocks, fixedPoint, executor)
    let misfits = project(volume, sinogram, slots, blocks, of: blocks, fixedPoint, executor)
    if misfits > 0 {
      for block in blocks where fixedPoint.widenVolumeScales(block: block) {
        _ = project(volume, sinogram, slots, block..<block + 1, of: blocks, fixedPoint, executor)
      }
    }
    return misfits
  }

  /// Some of the blocks that a sinogram holds; returns how many voxels did not fit.
  private func project(
    _ volume: UnsafeRawPointer, _ sinogram: UnsafeMutableRawPointer, _ slots: Int, _ blocks: Range<Int>,
    of all: Range<Int>, _ fixedPoint: FixedPoint, _ executor: some Executor
  ) -> Int {
    let width = max(1, min(executor.width, fixedPoint.workers))
    let cut = ForwardCut(
      layout: layout, blocks: blocks, rays: plan.count, threads: min(width, max(1, executor.cores)), isFixed: true)
    let misfits = Atomic(0)
    executor.share(count: cut.count, workers: width) { worker, item in
      let piece = cut.piece(item), block = piece.block, lane = piece.lanes.lowerBound
      let offset = lane * MemoryLayout<Float>.size, scales = fixedPoint.volumeScales(block: block)
      var shape = shape(block: block)
      shape.usedLanes = piece.lanes.count
      // Each part of the rays reads all voxels: one of them says what they are.
      let peaks = piece.part == 0 ? fixedPoint.peaks(block: block).baseAddress! + lane : nil
      let count = kernels.forwardFixed(
        volume + layout.pixelOffset(block: block) + offset,
        sinogram + layout.binOffset(block: block, of: all, slot: 0, slots: slots) + offset,
        plan.rays(part: piece.part, of: cut.parts), shape,
        FixedScales(steps: scales.steps + lane, units: scales.units + lane),
        fixedPoint.kernelMemory(worker: worker), peaks)
      // SYNC none: read after all workers have ended.
      if count > 0 { misfits.wrappingAdd(count, ordering: .relaxed) }
    }
    return misfits.load(ordering: .relaxed)
  }

  /// Prepares the scales of voxels. Reads the volume of a block that no projection has met yet.
  private func prepareForward(
    _ volume: UnsafeRawPointer, blocks: Range<Int>, _ fixedPoint: FixedPoint, _ executor: some Executor
  ) {
    for block in blocks {
      if !fixedPoint.knowsPeaks(block: block) {
        measure(volume + layout.pixelOffset(block: block), block: block, fixedPoint, executor)
      }
      fixedPoint.setVolumeScales(block: block)
    }
  }

  private func measure(
    _ pixels: UnsafeRawPointer, block: Int, _ fixedPoint: FixedPoint, _ executor: some Executor
  ) {
    let shape = layout.shape(block: block), rowByteCount = shape.volumePitch * shape.pixelByteCount
    fixedPoint.clearFound()
    executor.share(count: layout.columns, workers: min(executor.width, fixedPoint.workers)) { worker, row in
      kernels.notePeaks(
        pixels + row * rowByteCount, layout.columns, shape.lanes, 1,
        fixedPoint.found(worker: worker, block: block))
    }
    let peaks = fixedPoint.peaks(block: block)
    peaks.baseAddress!.update(from: fixedPoint.largestFound(block: block), count: peaks.count)
  }

  /// Converts the rows of the plan's angles. Returns how many bins are not finite.
  func prepareBack(
    sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>, _ fixedPoint: FixedPoint, _ executor: some Executor
  ) -> Int {
    precondition(plan.count <= fixedPoint.anglesMax, "\(plan.count) angles, room for \(fixedPoint.anglesMax)")
    precondition(blocks.count <= fixedPoint.blocksMax, "\(blocks.count) blocks, room for \(fixedPoint.blocksMax)")
    fixedPoint.clearFound()
    forEachRow(sinogram, slots, blocks, fixedPoint, executor) { worker, block, angle, bins, shape in
      kernels.notePeaks(
        bins, layout.columns, shape.lanes, plan.back[angle].weight,
        fixedPoint.found(worker: worker, block: block))
    }
    for block in blocks { fixedPoint.setBinScales(block: block) }
    let misfits = Atomic(0)
    forEachRow(sinogram, slots, blocks, fixedPoint, executor) { _, block, angle, bins, shape in
      let count = kernels.convertRow(
        bins, plan.back[angle].weight, angle, plan.count, shape, fixedPoint.binScales(block: block),
        fixedPoint.pairs(index: block - blocks.lowerBound))
      // SYNC none: read after all workers have ended.
      if count > 0 { misfits.wrappingAdd(count, ordering: .relaxed) }
    }
    return misfits.load(ordering: .relaxed)
  }

  /// Calls `body` with each row that is backprojected in fixed point: its place in the plan, and bin 0.
  private func forEachRow(
    _ sinogram: UnsafeRawPointer, _ slots: Int, _ blocks: Range<Int>, _ fixedPoint: FixedPoint,
    _ executor: some Executor,
    _ body: (_ worker: Int, _ block: Int, _ angle: Int, _ bins: UnsafeRawPointer, _ shape: KernelShape) -> Void
  ) {
    executor.share(count: blocks.count * plan.count, workers: min(executor.width, fixedPoint.workers)) { worker, item in
      let block = blocks.lowerBound + item / plan.count, angle = item % plan.count
      let slot = plan.back[angle].slot
      let offset = layout.binOffset(block: block, of: blocks, slot: slot, slots: slots)
      body(worker, block, angle, sinogram + offset, layout.shape(block: block))
    }
  }
}
