package import KernelTypes

/// Steps towards the slices x that minimise ½ Σ (x − z)² / τ + λ Σ |∇x|, with forward differences within a slice and
/// none across its edges: projected gradient on the dual p, |p| ≤ 1 (A. Chambolle, J. Math. Imaging Vis. 20, 2004,
/// 89–97; A. Beck and M. Teboulle, IEEE Trans. Image Process. 18, 2009, 2419–2434).
///
/// An inner step is d = z + τ λ div p, p ← q / max(1 + σ ε, |q|) with q = p + σ ∇d, σ = 1 / (8 λ max τ) and Huber's ε
/// or 0; in the end x = z + τ λ div p. From pass to pass dual values are kept as pairs of 16-bit integers, rounded to
/// 1/32,767. All inner steps are done in one pass over the rows, with a few rows of each in the cache: step k of a row
/// follows step k − 1 of the row below.
///
/// Work is cut by block and by bands of rows; old rows at the bands' edges are copied before. The same bits for any
/// cut, executor and lane width.
package final class TotalVariationStep {
  /// The most inner steps of a pass.
  static let innerStepsMax = 8
  /// ‖∇‖² at most.
  private static let norm: Float = 8
  /// Fewer rows make no band of their own.
  private static let bandRowsMin = 16

  private let layout: SliceLayout
  private let kernels: KernelTable
  private let innerSteps: Int
  private let workers: Int
  private let memory: ScratchMemory
  /// `TotalVariationMemory` of each worker.
  private let rows: UnsafeMutableRawPointer
  private let edges: UnsafeMutableRawPointer
  private let factors: UnsafeMutablePointer<Float>
  /// σ λ
  private var ratio: Float = 0

  /// Allocates what passes of `innerSteps` (1…8) inner steps by at most `threads` threads need.
  package init(layout: SliceLayout, innerSteps: Int, threads: Int, level: Int? = nil) {
    precondition((1...Self.innerStepsMax).contains(innerSteps), "\(innerSteps) inner steps")
    precondition(threads >= 1, "\(threads) threads")
    self.layout = layout
    self.innerSteps = innerSteps
    kernels = KernelTable(level: level)
    workers = threads
    let sizes = Self.sizes(layout, innerSteps, threads)
    memory = ScratchMemory(byteCount: sizes.rows + sizes.edges + sizes.factors)
    rows = memory.start
    edges = rows + sizes.rows
    factors = (edges + sizes.edges).assumingMemoryBound(to: Float.self)
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func byteCount(layout: SliceLayout, innerSteps: Int, threads: Int) -> Int {
    let sizes = sizes(layout, innerSteps, threads)
    return sizes.rows + sizes.edges + sizes.factors
  }

  /// Replaces the slices of `blocks` by what `innerSteps` steps from p = 0 make of them, with τ = 1. `weights[row]` is
  /// λ of each detector row, in the volume's unit; a row with 0 stays as it is, but for the cut at zero.
  func denoise(
    _ volume: UnsafeMutableRawPointer, blocks: Range<Int>, weights: [Float], nonNegative: Bool,
    executor: some Executor
  ) {
    precondition(weights.count == layout.rows, "\(weights.count) weights for \(layout.rows) rows")
    let ones = onesRow
    for block in layout.checked(blocks) {
      let rows = layout.rows(of: block..<block + 1)
      setFactors(lanes: layout.lanes(block: block), stepMax: 1) {
        $0 < rows.count ? (weights[rows.lowerBound + $0], 0) : (0, 0)
      }
      run(
        TotalVariationJob(
          shape: layout.shape(block: block), data: volume + layout.pixelOffset(block: block), dual: nil, previous: nil,
          steps: ones, stepsPitch: 0, momentum: 0, isNonNegative: nonNegative), executor)
    }
  }

  /// Sets λ and Huber's ε of each of a block's `lanes`; `stepMax` is max τ.
  package func setFactors(lanes: Int, stepMax: Float, _ factors: (_ lane: Int) -> (weight: Float, epsilon: Float)) {
    let count = max(16, lanes)
    ratio = 1 / (Self.norm * stepMax)
    for index in 0..<count {
      let dual = DualStep(factors(index % lanes), norm: Self.norm, stepMax: stepMax)
      self.factors[index] = dual.weight / 32_767
      self.factors[count + index] = dual.step * 32_767
      self.factors[2 * count + index] = dual.bound
    }
  }

  /// One pass over a block.
  package func run(_ job: TotalVariationJob, _ executor: some Executor) {
    let threads = min(workers, max(1, executor.cores))
    let bands = RowBands(rows: layout.columns, rowsMin: max(Self.bandRowsMin, 4 * innerSteps), threads: threads)
    let size = TotalVariationMemory.byteCount(layout, innerSteps: innerSteps)
    let count = max(16, job.shape.lanes)
    let factors = VariationFactors(
      weights: factors, scales: factors + count, bounds: factors + 2 * count, ratio: ratio)
    bands.run(executor, workers: workers) {
      save(job, bands[$0], edges(of: $0))
    } step: { worker, index in
      TotalVariationBand(
        job: job, kernels: kernels, innerSteps: innerSteps, band: bands[index], edges: edges(of: index),
        memory: TotalVariationMemory(rows + worker * size, layout: layout, innerSteps: innerSteps), factors: factors
      ).run()
    }
  }

  /// Copies the old rows above and below a band, from the column left of the slice to the one right of it.
  private func save(_ job: TotalVariationJob, _ band: Range<Int>, _ target: UnsafeMutableRawPointer) {
    let line = job.shape.volumePitch * job.shape.pixelByteCount, size = (layout.columns + 2) * job.shape.pixelByteCount
    let edges = TotalVariationEdges(start: target, innerSteps: innerSteps, rowByteCount: size)
    for row in max(0, band.lowerBound - innerSteps - 1)..<min(layout.columns, band.upperBound + innerSteps)
    where !band.contains(row) {
      let offset = row * line - job.shape.pixelByteCount
      edges.row(row, of: band, isDual: false).copyMemory(from: job.data + offset, byteCount: size)
      guard let dual = job.dual else { continue }
      edges.row(row, of: band, isDual: true).copyMemory(from: dual + offset, byteCount: size)
    }
  }

  private func edges(of band: Int) -> UnsafeMutableRawPointer {
    edges + band * Self.edgesByteCount(layout, innerSteps)
  }

  /// Ones for every pixel of a row.
  private var onesRow: UnsafePointer<Float> {
    let row = factors + 3 * max(16, layout.lanes)
    row.update(repeating: 1, count: layout.columns + 16)
    return UnsafePointer(row)
  }

  private static func edgesByteCount(_ layout: SliceLayout, _ innerSteps: Int) -> Int {
    TotalVariationEdges.rowCount(innerSteps: innerSteps) * (layout.columns + 2) * layout.shape.pixelByteCount + 64
  }

  private static func sizes(_ layout: SliceLayout, _ innerSteps: Int, _ threads: Int) -> (
    rows: Int, edges: Int, factors: Int
  ) {
    (
      threads * TotalVariationMemory.byteCount(layout, innerSteps: innerSteps),
      RowBands.edgesMax(threads: threads) * edgesByteCount(layout, innerSteps),
      (3 * max(16, layout.lanes) + layout.columns + 16) * MemoryLayout<Float>.stride
    )
  }
}

/// What a pass works on. Volumes are pointers to pixel (0, 0) of the same block.
package struct TotalVariationJob {
  let shape: KernelShape
  let data: UnsafeMutableRawPointer
  let dual: UnsafeMutableRawPointer?
  let previous: UnsafeMutableRawPointer?
  let steps: UnsafePointer<Float>
  let stepsPitch: Int
  let momentum: Float
  let isNonNegative: Bool

  /// - Parameters:
  ///   - data: z, which becomes x, or the extrapolated x.
  ///   - dual: p, which is kept; nil to begin at 0 and keep nothing.
  ///   - previous: the x before, which becomes the new one; nil for no extrapolation.
  ///   - steps: τ, one value a pixel, `stepsPitch` from row to row, with room for sixteen more.
  package init(
    shape: KernelShape, data: UnsafeMutableRawPointer, dual: UnsafeMutableRawPointer?,
    previous: UnsafeMutableRawPointer?, steps: UnsafePointer<Float>, stepsPitch: Int, momentum: Float,
    isNonNegative: Bool
  ) {
    self.shape = shape
    self.data = data
    self.dual = dual
    self.previous = previous
    self.steps = steps
    self.stepsPitch = stepsPitch
    self.momentum = momentum
    self.isNonNegative = isNonNegative
  }
}

/// Old rows around a band that its neighbours overwrite.
///
/// ```
/// above  [innerSteps + 1][z, p][columns + 2][lane]
/// below  [innerSteps][z, p][columns + 2][lane]
/// ```
struct TotalVariationEdges {
  let start: UnsafeMutableRawPointer
  let innerSteps: Int
  let rowByteCount: Int

  static func rowCount(innerSteps: Int) -> Int { 2 * (2 * innerSteps + 1) }

  /// Column −1 of a row outside the band.
  func row(_ row: Int, of band: Range<Int>, isDual: Bool) -> UnsafeMutableRawPointer {
    let index =
      row < band.lowerBound ? row - band.lowerBound + innerSteps + 1 : row - band.upperBound + innerSteps + 1
    return start + (2 * index + (isDual ? 1 : 0)) * rowByteCount
  }
}
