internal import KernelTypes

/// What `SubsetSolver` works in, for one block on its grid.
///
/// ```
/// iterate     [y][x][lane]           float32: the extrapolated slices, which are projected
/// previous    [y][x][lane]           float32: the slices
/// dual        [y][x][lane]           int16 pairs: the penalty's dual field
/// across      [y][x][lane]           float32: the same to the next slice; nothing in two dimensions
/// residuals   [angle][bin][lane]     float32: of a subset, on the grid
/// floats      [angle][bin][lane]     float32: the same of slices that are projected in float beside others; or nothing
/// sums        [angle][2][lane]       float64: (b − A x)², b²
/// rowWeights  [angle][column]        float32: R of all angles
/// relaxed     [angle][column]        float32: R of a subset times the step's length
/// scales      [y][x]                 float32: C, rows of a multiple of 16
/// steps       [y][x]                 float32: τ, the same
/// gradients   [row][lane]            float64: of the rows that are looked at
/// samples     [worker][count]        float32
/// ```
struct SubsetMemory {
  /// y, x and p: what a state consists of.
  let iterate, previous, dual, across: UnsafeMutableRawPointer
  let residuals, floats: UnsafeMutableRawPointer
  let scalesPitch: Int
  private let memory: ScratchMemory
  private let columns: Int
  private let lanes: Int
  private let sumsStart, gradientsStart: UnsafeMutablePointer<Double>
  private let rowWeightsStart, relaxedStart, scalesStart, stepsStart, samplesStart: UnsafeMutablePointer<Float>

  init(
    layout: SliceLayout, grid: SliceLayout, angles: Int, subsetSize: Int, threads: Int, isMixed: Bool, dimensions: Int
  ) {
    columns = layout.columns
    lanes = layout.lanes
    scalesPitch = Self.pitch(grid)
    let sizes = Self.sizes(
      layout: layout, grid: grid, angles: angles, subsetSize: subsetSize, threads: threads, isMixed: isMixed,
      dimensions: dimensions)
    memory = ScratchMemory(byteCount: sizes.reduce(0, +))
    var next = memory.start, index = 0
    func take() -> UnsafeMutableRawPointer {
      defer {
        next += sizes[index]
        index += 1
      }
      return next
    }
    iterate = take()
    previous = take()
    dual = take()
    across = take()
    residuals = take()
    floats = take()
    scalesStart = take().assumingMemoryBound(to: Float.self)
    stepsStart = take().assumingMemoryBound(to: Float.self)
    sumsStart = take().assumingMemoryBound(to: Double.self)
    gradientsStart = take().assumingMemoryBound(to: Double.self)
    rowWeightsStart = take().assumingMemoryBound(to: Float.self)
    relaxedStart = take().assumingMemoryBound(to: Float.self)
    samplesStart = take().assumingMemoryBound(to: Float.self)
  }

  /// The volumes of a state.
  func volumes(dimensions: Int) -> [UnsafeMutableRawPointer] {
    [iterate, previous, dual] + (dimensions == 3 ? [across] : [])
  }

  static func byteCount(
    layout: SliceLayout, grid: SliceLayout, angles: Int, subsetSize: Int, threads: Int, isMixed: Bool, dimensions: Int
  ) -> Int {
    sizes(
      layout: layout, grid: grid, angles: angles, subsetSize: subsetSize, threads: threads, isMixed: isMixed,
      dimensions: dimensions
    ).reduce(0, +)
  }

  func sums(angle: Int) -> UnsafeMutablePointer<Double> { sumsStart + angle * 2 * lanes }
  func gradients(row: Int) -> UnsafeMutablePointer<Double> { gradientsStart + row * lanes }
  func rowWeights(angle: Int) -> UnsafeMutablePointer<Float> { rowWeightsStart + angle * columns }
  func relaxedWeights(angle: Int) -> UnsafeMutablePointer<Float> { relaxedStart + angle * columns }
  func scales(row: Int) -> UnsafeMutablePointer<Float> { scalesStart + row * scalesPitch }
  func steps(row: Int) -> UnsafeMutablePointer<Float> { stepsStart + row * scalesPitch }
  func samples(worker: Int) -> UnsafeMutablePointer<Float> { samplesStart + worker * SliceSamples.countMax }

  /// A row of a slice, with room for a vector more.
  private static func pitch(_ grid: SliceLayout) -> Int { (grid.columns + 31) & ~15 }

  private static func sizes(
    layout: SliceLayout, grid: SliceLayout, angles: Int, subsetSize: Int, threads: Int, isMixed: Bool, dimensions: Int
  ) -> [Int] {
    let volume = grid.volumeBlockByteCount, slice = grid.columns * pitch(grid) * 4
    let residuals = grid.sinogramBlockByteCount(slots: subsetSize)
    return [
      volume, volume, volume, dimensions == 3 ? volume : 0, residuals, isMixed ? residuals : 0, slice, slice,
      subsetSize * 2 * layout.lanes * 8, SliceSamples.rowsMax * layout.lanes * 8, angles * layout.columns * 4,
      subsetSize * layout.columns * 4, threads * SliceSamples.countMax * 4,
    ].map { ($0 + 63) & ~63 }
  }
}
