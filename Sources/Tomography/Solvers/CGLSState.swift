import KernelTypes

/// What CGLS keeps from step to step.
///
/// ```
/// residuals         [block][angle][bin][lane]  float32: r, as a sinogram
/// directions        [block][y][x][lane]        float32: p, as a volume
/// gradients         [block][y][x][lane]        float32: s
/// lineSquares       [block][y][lane]           float64: s² of a line
/// projectedSquares  [block][angle][lane]       float64: q² of an angle
/// squares           [block][lane]              float64: ‖s‖², and that of the step before
/// lengths           [block][lane]              float32: α
/// ```
final class CGLSState {
  let residuals: UnsafeMutableRawPointer
  let byteCount: Int
  private(set) var squares: UnsafeMutablePointer<Double>
  private(set) var squaresBefore: UnsafeMutablePointer<Double>
  private let memory: ScratchMemory
  private let layout: SliceLayout
  private let anglesMax: Int
  private let blocks: Int
  private let directionsStart: UnsafeMutableRawPointer
  private let gradientsStart: UnsafeMutableRawPointer
  private let lineSquaresStart: UnsafeMutablePointer<Double>
  private let projectedSquaresStart: UnsafeMutablePointer<Double>
  private let lengthsStart: UnsafeMutablePointer<Float>

  init(layout: SliceLayout, anglesMax: Int, blocks: Int) {
    let sizes = Self.sizes(layout: layout, anglesMax: anglesMax, blocks: blocks)
    byteCount = sizes.reduce(0, +)
    memory = ScratchMemory(byteCount: byteCount)
    (self.layout, self.anglesMax, self.blocks) = (layout, anglesMax, blocks)
    var place = memory.start
    let starts = sizes.map { size in
      defer { place += size }
      return place
    }
    (residuals, directionsStart, gradientsStart) = (starts[0], starts[1], starts[2])
    lineSquaresStart = starts[3].assumingMemoryBound(to: Double.self)
    projectedSquaresStart = starts[4].assumingMemoryBound(to: Double.self)
    squares = starts[5].assumingMemoryBound(to: Double.self)
    squaresBefore = starts[6].assumingMemoryBound(to: Double.self)
    lengthsStart = starts[7].assumingMemoryBound(to: Float.self)
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func byteCount(layout: SliceLayout, anglesMax: Int, blocks: Int) -> Int {
    sizes(layout: layout, anglesMax: anglesMax, blocks: blocks).reduce(0, +)
  }

  private static func sizes(layout: SliceLayout, anglesMax: Int, blocks: Int) -> [Int] {
    // Multiples of 64.
    let slices = (blocks * layout.lanes * 8 + 63) & ~63
    return [
      blocks * layout.sinogramBlockByteCount(slots: anglesMax), blocks * layout.volumeBlockByteCount,
      blocks * layout.volumeBlockByteCount, layout.columns * slices, anglesMax * slices, slices, slices, slices,
    ]
  }

  /// The start that a volume of all blocks would have, of which p, or s, is `blocks`.
  func directions(_ blocks: Range<Int>) -> UnsafeMutableRawPointer {
    directionsStart - blocks.lowerBound * layout.volumeBlockByteCount
  }
  func gradients(_ blocks: Range<Int>) -> UnsafeMutableRawPointer {
    gradientsStart - blocks.lowerBound * layout.volumeBlockByteCount
  }

  /// The first measured bin of r in a row of the window, which is of one of `blocks`.
  func residuals(_ row: WindowRow, of blocks: Range<Int>) -> UnsafeMutablePointer<Float> {
    (residuals + layout.binOffset(block: row.block, of: blocks, slot: row.angle, slots: anglesMax) + row.measuredOffset)
      .assumingMemoryBound(to: Float.self)
  }

  func lengths(block: Int) -> UnsafeMutablePointer<Float> { lengthsStart + block * layout.lanes }
  func lineSquares(block: Int, line: Int) -> UnsafeMutablePointer<Double> {
    lineSquaresStart + (block * layout.columns + line) * layout.lanes
  }
  func projectedSquares(block: Int, angle: Int) -> UnsafeMutablePointer<Double> {
    projectedSquaresStart + (block * anglesMax + angle) * layout.lanes
  }

  /// A block that is narrower than the one before has its rows elsewhere, and margins that must be 0.
  func clearDirections(_ executor: some Executor) {
    let size = layout.volumeBlockByteCount, piece = 1 << 20, total = blocks * size
    executor.forEach(count: (total + piece - 1) / piece) { index in
      (directionsStart + index * piece).initializeMemory(
        as: UInt8.self, repeating: 0, count: min(piece, total - index * piece))
    }
  }

  /// Those sums become the ones of the step before.
  func keepGradients() { swap(&squares, &squaresBefore) }

  /// Adds up the lines of so many blocks.
  func addLines(_ count: Int) {
    for block in 0..<count {
      for lane in 0..<layout.lanes {
        squares[block * layout.lanes + lane] = (0..<layout.columns).reduce(0.0) {
          $0 + lineSquares(block: block, line: $1)[lane]
        }
      }
    }
  }
}
