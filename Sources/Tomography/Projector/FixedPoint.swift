package import KernelTypes

/// What projections in fixed point keep: the scale of each slice, bins in fixed point, and the kernels' memory.
///
/// A slice's voxels become whole numbers of 16 bits by a scale of their own, so that no cut into blocks, workers or
/// calls changes a bit, and its sums are exact over a band or a pass. The scale of a volume comes from the magnitudes
/// that its last projection met, with as much room again: what grows to more than twice them does not fit, and is
/// counted. Its block is then projected once more, when the magnitudes are known, with another scale for this slice
/// alone. The scale of what is backprojected is always its own. A value that is not finite is counted; a slice whose
/// magnitude is not finite becomes NaN.
///
/// ```
/// peaks    [lane of all blocks]          float32: of each slice; NaN where unknown
/// scales   [lane of all blocks][2 × 2]   float32: steps in 1, value of a step; of voxels, of bins
/// outgrown [lane of all blocks]          float32: 1 where the last projection was made once more for this slice
/// found    [worker][lane of all blocks]  float32: magnitudes of bins
/// pairs    [block][plane][angle][bin]    int16 × 2, as `convertRow` lays them out
/// kernels  [worker]
/// ```
package final class FixedPoint {
  let layout: SliceLayout
  let anglesMax: Int, blocksMax: Int, workers: Int
  private let memory: ScratchMemory
  private let sizes: Sizes

  /// How much larger a volume may get from one projection to the next.
  private static let headroom: Float = 2
  /// Smaller magnitudes are taken for this one.
  private static let peakMin: Float = 1e-25

  /// Allocates what projections of up to `blocksMax` blocks (all of the layout if nil), `anglesMax` angles and
  /// `workers` threads need. For one projection at a time.
  package init(layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, workers: Int) {
    let blocks = blocksMax ?? layout.blockCount
    precondition(anglesMax >= 1 && workers >= 1, "\(anglesMax) angles, \(workers) workers")
    precondition((1...layout.blockCount).contains(blocks), "\(blocks) blocks of \(layout.blockCount)")
    precondition(
      anglesMax <= Self.anglesMax(layout), "\(anglesMax) angles: at most \(Self.anglesMax(layout))")
    self.layout = layout
    self.anglesMax = anglesMax
    self.blocksMax = blocks
    self.workers = workers
    sizes = Sizes(layout: layout, anglesMax: anglesMax, blocks: blocks, workers: workers)
    memory = ScratchMemory(
      byteCount: Self.byteCount(layout: layout, anglesMax: anglesMax, blocksMax: blocks, workers: workers))
    forget()
  }

  /// The most angles of a projection: places in a plane are whole numbers of 8 bytes below 2³¹.
  package static func anglesMax(_ layout: SliceLayout) -> Int { max(1, layout.slotsMax / 16) }

  /// Bytes that `init` with the same arguments would allocate.
  static func byteCount(layout: SliceLayout, anglesMax: Int, blocksMax: Int? = nil, workers: Int) -> Int {
    Sizes(layout: layout, anglesMax: anglesMax, blocks: blocksMax ?? layout.blockCount, workers: workers).total
  }

  /// The largest magnitude of each slice (lane) of a block that its last projection met, NaN where there was none: what
  /// the next one's bits depend on beside the volume, for whoever saves a state.
  func peaks(block: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: peaksStart + block * sizes.stride, count: layout.lanes(block: block))
  }

  /// Takes nothing from earlier projections: the next one of each block reads its volume once more.
  func forget() { peaksStart.update(repeating: .nan, count: sizes.lanes) }

  /// Of each slice (lane) of a block, whether the last projection met voxels that did not fit, and was made once more.
  func outgrown(block: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: (memory.start + sizes.outgrown).assumingMemoryBound(to: Float.self) + block * sizes.stride,
      count: layout.lanes(block: block))
  }

  private var peaksStart: UnsafeMutablePointer<Float> { memory.start.assumingMemoryBound(to: Float.self) }

  /// The scales of a block's voxels, and of its bins.
  func volumeScales(block: Int) -> FixedScales { scales(block: block, of: 0) }
  func binScales(block: Int) -> FixedScales { scales(block: block, of: 1) }

  private func scales(block: Int, of kind: Int) -> FixedScales {
    let steps =
      (memory.start + sizes.scales).assumingMemoryBound(to: Float.self)
      + (2 * kind * sizes.lanes + block * sizes.stride)
    return FixedScales(steps: steps, units: steps + sizes.lanes)
  }

  /// Whether a projection has met a block's volume.
  func knowsPeaks(block: Int) -> Bool { !peaks(block: block).contains { $0.isNaN } }

  /// Sets the scales of a block's voxels from its peaks, and the peaks to zero for the projection to fill.
  func setVolumeScales(block: Int) {
    let peaks = peaks(block: block)
    setScales(block: block, of: 0, limit: fixedLimit / Self.headroom, peaks: UnsafePointer(peaks.baseAddress!))
    peaks.update(repeating: 0)
    outgrown(block: block).update(repeating: 0)
  }

  /// Sets the scales of those slices of a block anew that met voxels which did not fit; whether there are any. The
  /// others keep theirs, so that what becomes of a slice does not depend on those beside it.
  func widenVolumeScales(block: Int) -> Bool {
    let scales = volumeScales(block: block), peaks = peaks(block: block), outgrown = outgrown(block: block)
    for lane in peaks.indices where !(peaks[lane] * scales.steps[lane] <= fixedLimit) { outgrown[lane] = 1 }
    guard outgrown.contains(1) else { return false }
    setScales(
      block: block, of: 0, limit: fixedLimit / Self.headroom, peaks: UnsafePointer(peaks.baseAddress!),
      only: UnsafePointer(outgrown.baseAddress!))
    return true
  }

  /// Sets the scales of a block's bins from what the workers have found.
  func setBinScales(block: Int) {
    setScales(block: block, of: 1, limit: KernelTable.fixedBinLimit, peaks: largestFound(block: block))
  }

  /// Of all lanes, or of those that are not zero in `only`.
  private func setScales(
    block: Int, of kind: Int, limit: Float, peaks: UnsafePointer<Float>, only: UnsafePointer<Float>? = nil
  ) {
    let scales = scales(block: block, of: kind)
    let steps = UnsafeMutablePointer(mutating: scales.steps), units = UnsafeMutablePointer(mutating: scales.units)
    for lane in 0..<sizes.stride where only.map({ $0[lane] != 0 }) ?? true {
      let isFinite = peaks[lane].isFinite
      steps[lane] = isFinite ? limit / max(peaks[lane], Self.peakMin) : 0
      units[lane] = isFinite ? max(peaks[lane], Self.peakMin) / limit : .nan
      if kind == 1 { units[lane] /= Float(KernelTable.fixedBackUnit) }
    }
  }

  /// The largest of what the workers have found, for each lane of a block.
  func largestFound(block: Int) -> UnsafePointer<Float> {
    let all = found(worker: 0, block: block)
    for worker in 0..<workers where worker > 0 {
      let other = found(worker: worker, block: block)
      for lane in 0..<sizes.stride where other[lane].bitPattern > all[lane].bitPattern { all[lane] = other[lane] }
    }
    return UnsafePointer(all)
  }

  /// A worker's magnitudes of a block's lanes.
  func found(worker: Int, block: Int) -> UnsafeMutablePointer<Float> {
    (memory.start + sizes.found).assumingMemoryBound(to: Float.self) + worker * sizes.lanes + block * sizes.stride
  }

  /// Zeroes what workers have found.
  func clearFound() { found(worker: 0, block: 0).update(repeating: 0, count: workers * sizes.lanes) }

  /// The bins of block number `index` of a call.
  func pairs(index: Int) -> UnsafeMutableRawPointer { memory.start + sizes.pairs + index * sizes.block }

  /// The kernels' memory.
  func kernelMemory(worker: Int) -> UnsafeMutableRawPointer {
    memory.start + sizes.kernels + worker * KernelTable.fixedByteCount
  }

  /// Where each part of the memory begins, at multiples of 64.
  private struct Sizes {
    /// Lanes of a block, 16 or more, and of all.
    let stride: Int, lanes: Int
    let block: Int
    let scales: Int, outgrown: Int, found: Int, pairs: Int, kernels: Int, total: Int

    init(layout: SliceLayout, anglesMax: Int, blocks: Int, workers: Int) {
      stride = max(16, layout.lanes)
      lanes = layout.blockCount * stride
      block = (4 * stride * anglesMax * layout.shape.sinogramPitch + 4095) & ~4095
      scales = 4 * lanes
      outgrown = scales + 4 * 4 * lanes
      found = outgrown + 4 * lanes
      pairs = (found + workers * 4 * lanes + 4095) & ~4095
      kernels = pairs + blocks * block
      total = kernels + workers * KernelTable.fixedByteCount
    }
  }
}
