internal import KernelTypes

/// `TotalVariationStep` over x, y and the slices of a block: ½ Σ (x − z)² / τ + λ Σ |∇x| with the difference to the
/// next slice in ∇. λ is that of each slice.
///
/// An inner step is d = z + τ div (λ p), p ← q / max(1 + σ ε, |q|) with q = p + σ ∇d, σ = 1 / (12 λ max τ) and
/// Huber's ε or 0, each slice's own: the norm of ∇ in three dimensions is at most √12. An inner step is one pass over
/// the rows, in bands. The same bits for any executor and number of threads.
final class SlabVariationStep {
  /// ‖∇‖² at most.
  private static let norm: Float = 12
  /// Fewer rows make no band of their own.
  private static let bandRowsMin = 8
  /// Rows around a band that its neighbours overwrite: p of the one above; p of the one below, and p to the next slice.
  private static let edgeRows = 3

  private let layout: SliceLayout
  private let kernels: KernelTable
  private let innerSteps: Int
  private let workers: Int
  private let memory: ScratchMemory
  /// Of each worker: d of two rows.
  private let rows: UnsafeMutableRawPointer
  private let edges: UnsafeMutableRawPointer
  /// λ with a zero before it, σ, σ to the next slice, and the bounds.
  private let factors: UnsafeMutablePointer<Float>
  private let shape: KernelShape

  /// Allocates what passes over a block of `layout`, whose lanes are a multiple of 16, need.
  init(layout: SliceLayout, innerSteps: Int, threads: Int, level: Int? = nil) {
    precondition(layout.blockCount == 1 && layout.shape(block: 0).lanes % 16 == 0, "\(layout) for a slab")
    precondition((1...TotalVariationStep.innerStepsMax).contains(innerSteps), "\(innerSteps) inner steps")
    precondition(threads >= 1, "\(threads) threads")
    self.layout = layout
    self.innerSteps = innerSteps
    shape = layout.shape(block: 0)
    kernels = KernelTable(level: level)
    workers = threads
    let sizes = Self.sizes(layout, threads)
    memory = ScratchMemory(byteCount: sizes.rows + sizes.edges + sizes.factors)
    rows = memory.start
    edges = rows + sizes.rows
    factors = (edges + sizes.edges).assumingMemoryBound(to: Float.self)
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func byteCount(layout: SliceLayout, threads: Int) -> Int {
    let sizes = sizes(layout, threads)
    return sizes.rows + sizes.edges + sizes.factors
  }

  /// Sets λ and Huber's ε of the block's slices, the first `count` lanes; `stepMax` is max τ.
  func setFactors(count: Int, stepMax: Float, _ factors: (_ lane: Int) -> (weight: Float, epsilon: Float)) {
    precondition((1...shape.lanes).contains(count), "\(count) slices of \(shape.lanes)")
    let (weights, steps, across, bounds) = places
    (weights - 1).pointee = 0
    for lane in 0..<shape.lanes {
      let dual = DualStep(lane < count ? factors(lane) : (0, 0), norm: Self.norm, stepMax: stepMax)
      weights[lane] = dual.weight / 32_767
      steps[lane] = dual.step * 32_767
      across[lane] = lane < count - 1 ? steps[lane] : 0
      bounds[lane] = dual.bound
    }
  }

  /// All inner steps over the block. `across` is p to the next slice, which is kept as `job.dual` is.
  func run(_ job: TotalVariationJob, across: UnsafeMutableRawPointer, _ executor: some Executor) {
    guard let dual = job.dual, let previous = job.previous else { preconditionFailure("a slab keeps its dual field") }
    let pass = Pass(job: job, dual: dual, across: across, factors: slabFactors)
    let threads = min(workers, max(1, executor.cores))
    let bands = RowBands(rows: layout.columns, rowsMin: Self.bandRowsMin, threads: threads)
    for _ in 0..<innerSteps {
      bands.run(executor, workers: workers) {
        save(pass, bands[$0], edges(of: $0))
      } step: { worker, index in
        step(pass, bands[index], edges(of: index), rows + worker * Self.rowsByteCount(layout))
      }
    }
    executor.forEach(count: layout.columns) { row in
      kernels.slabFinishedRow(
        pass.row(row), previous + pass.offset(row), job.momentum, job.isNonNegative)
    }
  }

  /// One inner step over a band, from its upper edge to its lower one.
  private func step(
    _ pass: Pass, _ band: Range<Int>, _ edges: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer
  ) {
    let size = Self.rowByteCount(layout), pixel = shape.pixelByteCount
    func edge(_ index: Int) -> UnsafeMutableRawPointer { edges + (index * size + pixel) }
    func difference(_ row: Int) -> UnsafeMutableRawPointer { scratch + row & 1 * size }
    kernels.slabPrimalRow(
      band.lowerBound == 0 ? pass.row(0) : pass.row(band.lowerBound, above: edge(0)), difference(band.lowerBound))
    for row in band {
      let next = row + 1
      if next < layout.columns {
        kernels.slabPrimalRow(
          next < band.upperBound ? pass.row(next) : pass.row(next, dual: edge(1), across: edge(2)), difference(next))
      }
      // Below the last row is nothing: no difference.
      kernels.slabDualRow(pass.row(row), difference(row), difference(next < layout.columns ? next : row))
    }
  }

  /// Copies the old rows around a band, from the column left of the slice on.
  private func save(_ pass: Pass, _ band: Range<Int>, _ target: UnsafeMutableRawPointer) {
    let size = Self.rowByteCount(layout), pixel = shape.pixelByteCount
    func copy(_ volume: UnsafeMutableRawPointer, _ row: Int, _ index: Int) {
      (target + index * size).copyMemory(from: volume + (pass.offset(row) - pixel), byteCount: size)
    }
    if band.lowerBound > 0 { copy(pass.dual, band.lowerBound - 1, 0) }
    guard band.upperBound < layout.columns else { return }
    copy(pass.dual, band.upperBound, 1)
    copy(pass.across, band.upperBound, 2)
  }

  /// Volumes of a block, of which rows are made.
  private struct Pass: @unchecked Sendable {
    let job: TotalVariationJob
    let dual: UnsafeMutableRawPointer, across: UnsafeMutableRawPointer
    let factors: SlabFactors

    func offset(_ row: Int) -> Int { row * job.shape.volumePitch * job.shape.pixelByteCount }

    /// A row, with what was saved of others in place of their own.
    func row(
      _ row: Int, dual saved: UnsafeMutableRawPointer? = nil, above: UnsafeMutableRawPointer? = nil,
      across savedAcross: UnsafeMutableRawPointer? = nil
    ) -> SlabRow {
      SlabRow(
        columns: job.shape.columns, lanes: job.shape.lanes, data: job.data + offset(row),
        dual: saved ?? dual + offset(row), above: above ?? dual + offset(row - 1),
        across: savedAcross ?? across + offset(row), steps: job.steps + row * job.stepsPitch, factors: factors)
    }
  }

  private var places:
    (
      weights: UnsafeMutablePointer<Float>, steps: UnsafeMutablePointer<Float>, across: UnsafeMutablePointer<Float>,
      bounds: UnsafeMutablePointer<Float>
    )
  {
    let weights = factors + 16, lanes = shape.lanes
    return (weights, weights + lanes, weights + 2 * lanes, weights + 3 * lanes)
  }

  private var slabFactors: SlabFactors {
    let (weights, steps, across, bounds) = places
    return SlabFactors(weights: weights, steps: steps, stepsAcross: across, bounds: bounds)
  }

  private func edges(of band: Int) -> UnsafeMutableRawPointer {
    edges + band * Self.edgeRows * Self.rowByteCount(layout)
  }

  /// A row with a pixel on each side.
  private static func rowByteCount(_ layout: SliceLayout) -> Int {
    (layout.columns + 2) * layout.shape.pixelByteCount
  }

  private static func rowsByteCount(_ layout: SliceLayout) -> Int { 2 * rowByteCount(layout) }

  private static func sizes(_ layout: SliceLayout, _ threads: Int) -> (rows: Int, edges: Int, factors: Int) {
    (
      threads * rowsByteCount(layout),
      RowBands.edgesMax(threads: threads) * edgeRows * rowByteCount(layout),
      (16 + 4 * layout.lanes) * MemoryLayout<Float>.stride
    )
  }
}
