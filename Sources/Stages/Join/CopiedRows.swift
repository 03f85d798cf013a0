import KernelTypes
import RunModel

/// Copies rows of a worker's volume as an update left them, as long as it is the newest one: a worker writes over what
/// is older.
final class CopiedRows {
  private let volume: VolumeRegion
  /// The rows that are copied, as the run counts them, and the first row of the worker.
  let rows: Range<Int>
  private let first: Int
  private let buffer: UnsafeMutableBufferPointer<Float>

  init(_ volume: VolumeRegion, rows: Range<Int>, ofWorkerFrom first: Int) {
    precondition(!rows.isEmpty && rows.lowerBound >= first, "\(rows) of a worker from row \(first) on")
    (self.volume, self.rows, self.first) = (volume, rows, first)
    buffer = .allocate(capacity: rows.count * volume.layout.columns * volume.layout.columns)
  }

  /// Edge of a slice.
  var columns: Int { volume.layout.columns }

  deinit { buffer.deallocate() }

  /// The voxels of a generation, row after row; nil where the worker has made another one. Valid until the next call.
  func take(generation: UInt64) -> UnsafeRawBufferPointer? {
    let columns = volume.layout.columns, pixels = columns * columns
    let copied = volume.withNewest { newest in
      guard newest.number == generation else { return false }
      // While the scan runs they may be of binned projections, and lie elsewhere than those of the finished volume.
      let slices = volume.slices(of: newest)
      for (place, row) in rows.enumerated() {
        let target = UnsafeMutableBufferPointer(rebasing: buffer[place * pixels..<(place + 1) * pixels])
        slices.copySlices(rows: row - first..<row - first + 1, lines: 0..<columns, into: target)
      }
      return true
    }
    return copied?.result == true ? UnsafeRawBufferPointer(buffer) : nil
  }
}
