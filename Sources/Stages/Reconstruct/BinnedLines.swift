import KernelTypes
import RunModel
import Tomography

/// Bins the line integrals of a projection, of all of a worker's rows, for a window that is made of them.
final class BinnedLines {
  private let live: LiveLayout
  private let lines: UnsafeMutableBufferPointer<Float>

  /// Memory for one binned projection.
  init(_ live: LiveLayout) {
    self.live = live
    lines = .allocate(capacity: live.layout.rows * live.layout.measured.count)
  }

  deinit { lines.deallocate() }

  /// Bytes that `init` allocates.
  static func byteCount(_ live: LiveLayout) -> Int {
    live.layout.rows * live.layout.measured.count * MemoryLayout<Float>.stride
  }

  /// Puts what becomes of `values`, rows × columns as `layout` has them, into a slot of a sinogram.
  func store(_ values: UnsafePointer<Float>, of layout: SliceLayout, slot: Int, in sinogram: SinogramBuffer) {
    let target = live.layout, binned = lines.baseAddress!
    binLineIntegrals(values, rows: layout.rows, columns: layout.measured.count, by: live.factor, into: binned)
    target.storeProjection(
      binned, blocks: 0..<target.blockCount, slot: slot, slots: sinogram.slots, into: sinogram.storage)
  }
}
