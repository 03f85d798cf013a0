import KernelTypes
import Tomography

// Stripes can only be told from the sample when all angles are there, so windows are left as they are.
extension ReconstructStage {
  /// Removes the stripes of so many rows of a sinogram that holds just their block, each row for itself.
  func removeStripes(_ rows: Int, from sinogram: SinogramBuffer) {
    let angles = applied.count, filter = StripeFilter(angles: angles, columns: configuration.layout.measured.count)
    let part = configuration.slabs == nil ? configuration.layout.with(rows: rows) : configuration.finalLayout
    let byteCount = Self.stripeByteCount(filter)
    // Each has much memory: as many as the worker was planned with.
    let workers = min(ownThreads, rows)
    let memory = ScratchMemory(byteCount: byteCount * workers)
    // Sound: each worker has its own piece of memory, each item its own row of the sinogram.
    nonisolated(unsafe) let (pieces, storage) = (memory.start, sinogram.storage)
    let slots = sinogram.slots
    executor.forEach(count: workers) { worker in
      let row = (pieces + worker * byteCount).assumingMemoryBound(to: Float.self)
      for lane in stride(from: worker, to: rows, by: workers) {
        part.copySinogram(row: lane, slots: slots, angles: angles, from: storage, blocks: 0..<1, into: row)
        filter.apply(row, scratch: row + angles * filter.columns)
        part.setSinogram(row: lane, slots: slots, angles: angles, in: storage, blocks: 0..<1, from: row)
      }
    }
    withExtendedLifetime(memory) {}
  }

  /// Bytes of one row's sinogram and of the filter's scratch memory.
  static func stripeByteCount(_ filter: StripeFilter) -> Int {
    filter.angles * filter.columns * MemoryLayout<Float>.stride + filter.scratchByteCount
  }
}
