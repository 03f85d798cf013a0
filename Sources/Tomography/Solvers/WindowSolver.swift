import KernelTypes

/// Brings a volume nearer to the projections of a window.
///
/// One update at a time. All memory is allocated when a solver is made. The same bits for any executor, any cut of the
/// volume into blocks and calls, and any lane width.
package protocol WindowSolver {
  /// Bytes that were allocated beside the volume and the data.
  var scratchByteCount: Int { get }

  /// Makes the slices of `blocks` in `volume` fit to begin with: what is there is kept as far as it can be with
  /// `keeping`, and the method's own start is written without. Arguments as for `update`.
  func start(
    volume: UnsafeMutableRawPointer, keeping: Bool, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], executor: some Executor)

  /// Updates the slices of `blocks`: the first iteration reads `volume` and writes `next` (which may be the same
  /// memory), later ones go on in `next`. Both hold all blocks, `sinogram` exactly `blocks`, with `slots` slots each.
  /// At most as many threads work as the solver was made for.
  ///
  /// Returns the residual of the last iteration, before its update; it is not finite if the data or the volume are not.
  func update(
    volume: UnsafeRawPointer, next: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>,
    angles: [WindowAngle], iterations: Int, executor: some Executor
  ) -> Residual
}

extension SliceLayout {
  /// Zeroes the slices of `blocks`.
  func clear(_ blocks: Range<Int>, of volume: UnsafeMutableRawPointer, _ executor: some Executor) {
    let size = volumeBlockByteCount
    executor.forEach(count: checked(blocks).count) { index in
      (volume + (blocks.lowerBound + index) * size).initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }
  }
}
