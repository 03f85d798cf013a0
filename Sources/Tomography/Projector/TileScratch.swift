internal import KernelTypes

/// For each worker, a tile's sums and the taps of a patch.
struct TileScratch {
  private let memory: ScratchMemory
  private let tileByteCount: Int
  let workers: Int

  init(layout: SliceLayout, workers: Int) {
    precondition(workers >= 1, "\(workers) workers")
    self.workers = workers
    tileByteCount = Tile.byteCount(lanes: layout.lanes)
    memory = ScratchMemory(byteCount: TileScratch.byteCount(layout: layout, workers: workers))
  }

  static func byteCount(layout: SliceLayout, workers: Int) -> Int {
    workers * (Tile.byteCount(lanes: layout.lanes) + KernelTable.tapsByteCount)
  }

  /// The tile's buffer and the memory for taps. Both start at a multiple of 64.
  func take(worker: Int) -> (buffer: UnsafeMutableRawPointer, taps: UnsafeMutableRawPointer) {
    let buffer = memory.start + worker * (tileByteCount + KernelTable.tapsByteCount)
    return (buffer, buffer + tileByteCount)
  }
}
