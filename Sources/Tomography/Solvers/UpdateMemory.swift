import KernelTypes

/// What an update keeps beside the volume: weights, the weighted residuals of its window, and their sums.
///
/// ```
/// residuals   [block][angle][bin][lane]  float32, as a sinogram
/// sums        [block][angle][2][lane]    float64: (b − A x)², b²
/// rowWeights  [angle][bin]               float32: R
/// scales      [y][x]                     float32: λ C, rows of a multiple of 16
/// ```
struct UpdateMemory {
  let anglesMax: Int
  let blocks: Int
  let scalesPitch: Int
  let residuals: UnsafeMutableRawPointer
  private let memory: ScratchMemory
  private let columns: Int
  private let lanes: Int
  private let sumsStart: UnsafeMutablePointer<Double>
  private let rowWeightsStart: UnsafeMutablePointer<Float>
  private let scalesStart: UnsafeMutablePointer<Float>

  init(layout: SliceLayout, anglesMax: Int, blocks: Int) {
    precondition(anglesMax >= 1 && (1...layout.blockCount).contains(blocks), "\(anglesMax) angles, \(blocks) blocks")
    self.anglesMax = anglesMax
    self.blocks = blocks
    columns = layout.columns
    lanes = layout.lanes
    scalesPitch = UpdateMemory.roundedUp(layout.columns)
    let sizes = UpdateMemory.sizes(layout: layout, anglesMax: anglesMax, blocks: blocks)
    memory = ScratchMemory(byteCount: sizes.residuals + sizes.scales + sizes.sums + sizes.rowWeights)
    residuals = memory.start
    let scales = residuals + sizes.residuals, sums = scales + sizes.scales, rowWeights = sums + sizes.sums
    scalesStart = scales.assumingMemoryBound(to: Float.self)
    sumsStart = sums.assumingMemoryBound(to: Double.self)
    rowWeightsStart = rowWeights.assumingMemoryBound(to: Float.self)
  }

  static func byteCount(layout: SliceLayout, anglesMax: Int, blocks: Int) -> Int {
    let sizes = sizes(layout: layout, anglesMax: anglesMax, blocks: blocks)
    return sizes.residuals + sizes.scales + sizes.sums + sizes.rowWeights
  }

  /// Traps on an update that this memory, or a sinogram of `slots` slots, has no room for.
  func requireRoom(for window: WindowData, of layout: SliceLayout, iterations: Int) {
    precondition(
      !window.angles.isEmpty && iterations >= 1, "\(iterations) iterations over \(window.angles.count) angles")
    precondition(window.angles.allSatisfy { $0.slot < window.slots }, "an angle lies beyond the \(window.slots) slots")
    precondition(layout.checked(window.blocks).count <= blocks, "\(window.blocks.count) blocks, room for \(blocks)")
  }

  func sums(block: Int, angle: Int) -> UnsafeMutablePointer<Double> {
    sumsStart + (block * anglesMax + angle) * 2 * lanes
  }
  func rowWeights(angle: Int) -> UnsafeMutablePointer<Float> { rowWeightsStart + angle * columns }
  func scales(row: Int) -> UnsafeMutablePointer<Float> { scalesStart + row * scalesPitch }

  /// Adds up all sums, row by row and angle by angle, so that the order does not depend on the lanes.
  func residual(layout: SliceLayout, blocks: Range<Int>, angles: Int) -> Residual {
    var residualSquared = 0.0, dataSquared = 0.0
    for row in layout.rows(of: blocks) {
      for angle in 0..<angles {
        let sums = sums(block: row / lanes - blocks.lowerBound, angle: angle) + row % lanes
        residualSquared += sums[0]
        dataSquared += sums[layout.lanes(block: row / lanes)]
      }
    }
    return Residual(residualSquared: residualSquared, dataSquared: dataSquared)
  }

  private static func sizes(
    layout: SliceLayout, anglesMax: Int, blocks: Int
  ) -> (residuals: Int, scales: Int, sums: Int, rowWeights: Int) {
    (
      blocks * layout.sinogramBlockByteCount(slots: anglesMax), layout.columns * roundedUp(layout.columns) * 4,
      blocks * anglesMax * 2 * layout.lanes * 8, anglesMax * layout.columns * 4
    )
  }

  private static func roundedUp(_ columns: Int) -> Int { (columns + 15) & ~15 }
}
