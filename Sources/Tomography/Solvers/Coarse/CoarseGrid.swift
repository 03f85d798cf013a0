package import KernelTypes

/// Slices of half the columns, one for two: on such an update costs an eighth. Makes one of the two volumes of the
/// other.
///
/// A voxel's value is its attenuation over its edge, so one of twice the edge has 2 · the mean of those that it covers
/// (`restrict`), and these have half of its value (`prolong`). What lies outside the mask of slices is zero in both.
/// The same bits for any executor and any cut of the rows at even ones.
package struct CoarseGrid: Sendable {
  /// The slices as they are, and the coarse ones.
  let fine: SliceLayout
  package let coarse: SliceLayout
  private let masks: (fine: DiskMask, coarse: DiskMask)
  private let overlap: AxisOverlap

  /// `coarse` has a row for two of `fine`, the last one perhaps for one, and columns as `AxisOverlap` has them.
  package init(fine: SliceLayout, coarse: SliceLayout, method: Method) {
    precondition(coarse.rows == (fine.rows + 1) / 2, "\(coarse.rows) coarse rows for \(fine.rows)")
    precondition(
      coarse.blockCount == 1 || coarse.lanes % (fine.lanes / 2) == 0, "\(coarse.lanes) lanes for \(fine.lanes)")
    (self.fine, self.coarse) = (fine, coarse)
    masks = (
      DiskMask(columns: fine.columns, isDisk: method.isDisk), DiskMask(columns: coarse.columns, isDisk: method.isDisk)
    )
    overlap = AxisOverlap(pixels: fine.columns, coarse: coarse.columns)
  }

  /// Writes the coarse volume of `volume` into memory that holds zeros around its slices.
  package func restrict(_ volume: UnsafeRawPointer, into target: UnsafeMutableRawPointer, executor: some Executor) {
    let (fine, coarse, overlap, mask, columns) = (fine, coarse, overlap, masks.coarse, coarse.columns)
    // Sound: each item writes its own lanes of a row of coarse pixels.
    nonisolated(unsafe) let (volume, target) = (volume, target)
    executor.forEach(count: fine.blockCount * columns) { item in
      let run = LaneRun(block: item / columns, fine: fine, coarse: coarse), y = item % columns
      let source = run.fine(volume), row = run.coarse(UnsafeRawPointer(target), y: y)
      let lines = overlap.means[y], inside = mask.columns(row: y)
      for x in 0..<columns {
        let out = UnsafeMutablePointer(mutating: row) + x * run.coarseLanes, across = overlap.means[x]
        for pair in 0..<run.pairs { out[pair] = 0 }
        guard inside.contains(x) else { continue }
        for line in 0..<lines.count {
          for column in 0..<across.count {
            let pixel = source + ((lines.first + line) * run.pitch + across.first + column) * run.fineLanes
            let weight = lines.weights[line] * across.weights[column]
            for pair in 0..<run.pairs { out[pair] += weight * (pixel[2 * pair] + pixel[2 * pair + 1]) }
          }
        }
        if run.endsAlone { out[run.pairs - 1] *= 2 }
      }
    }
  }

  /// Writes `blocks` of the volume that a coarse one stands for into memory of all blocks, which holds zeros around
  /// their slices.
  package func prolong(
    _ volume: UnsafeRawPointer, into target: UnsafeMutableRawPointer, blocks: Range<Int>, executor: some Executor
  ) {
    let (fine, coarse, overlap, mask, columns) = (fine, coarse, overlap, masks.fine, fine.columns)
    // Sound: each item writes a row of its own.
    nonisolated(unsafe) let (volume, target) = (volume, target)
    executor.forEach(count: blocks.count * columns) { item in
      let run = LaneRun(block: blocks.lowerBound + item / columns, fine: fine, coarse: coarse), y = item % columns
      let row = UnsafeMutablePointer(mutating: run.fine(UnsafeRawPointer(target))) + y * run.pitch * run.fineLanes
      let inside = mask.columns(row: y), lines = overlap.values[y]
      for x in 0..<columns {
        let out = row + x * run.fineLanes, across = overlap.values[x]
        for lane in 0..<run.fineLanes { out[lane] = 0 }
        guard inside.contains(x) else { continue }
        for line in 0..<lines.count {
          let values = run.coarse(volume, y: lines.first + line)
          for column in 0..<across.count {
            let value = values + (across.first + column) * run.coarseLanes
            let weight = 0.5 * lines.weights[line] * across.weights[column]
            for pair in 0..<run.pairs {
              out[2 * pair] += weight * value[pair]
              out[2 * pair + 1] += weight * value[pair]
            }
          }
        }
        // There is no such slice, and kernels rely on zeros in its place.
        if run.endsAlone { out[2 * run.pairs - 1] = 0 }
      }
    }
  }
}

/// The lanes of a block of slices, and those of the coarse ones that two of them each become.
private struct LaneRun {
  let fineLanes: Int
  let coarseLanes: Int
  /// Coarse slices, and whether the last one is for a single slice.
  let pairs: Int
  let endsAlone: Bool
  /// Pixels from one row to the next.
  let pitch: Int
  private let coarsePitch: Int
  private let fineOffset: Int
  private let coarseOffset: Int

  init(block: Int, fine: SliceLayout, coarse: SliceLayout) {
    let rows = fine.rows(of: block..<block + 1), first = rows.lowerBound / 2
    let (shape, coarseShape) = (fine.shape(block: block), coarse.shape(block: first / coarse.lanes))
    (fineLanes, coarseLanes, pitch) = (shape.lanes, coarseShape.lanes, shape.volumePitch)
    (pairs, endsAlone) = ((rows.count + 1) / 2, rows.count % 2 == 1)
    coarsePitch = coarseShape.volumePitch
    fineOffset = fine.pixelOffset(block: block)
    coarseOffset =
      coarse.pixelOffset(block: first / coarse.lanes) + first % coarse.lanes * MemoryLayout<Float>.stride
  }

  /// Pixel (0, 0) of the block.
  func fine(_ volume: UnsafeRawPointer) -> UnsafePointer<Float> {
    (volume + fineOffset).assumingMemoryBound(to: Float.self)
  }

  /// The first of the block's coarse lanes in pixel 0 of row `y`.
  func coarse(_ volume: UnsafeRawPointer, y: Int) -> UnsafePointer<Float> {
    (volume + coarseOffset).assumingMemoryBound(to: Float.self) + y * coarsePitch * coarseLanes
  }
}

extension Method {
  /// Whether only voxels of the inscribed disk take part.
  fileprivate var isDisk: Bool {
    switch self {
    case .sirt(let options): options.diskMask
    case .expectationMaximisation(let options): options.diskMask
    case .filteredBackprojection(let options): options.diskMask
    case .conjugateGradients(let options): options.diskMask
    }
  }
}
