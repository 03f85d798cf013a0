internal import KernelTypes

/// The inner steps of a band of rows.
///
/// At row r of the band's pass d of the first inner step is made; then step k makes p of row r − k, and from it, as one
/// kernel, d of step k + 1 of the same row, or x after the last step. Between two steps p stays in floats.
///
/// Wide slices are passed in tiles of columns, all rows of one before the next, so that what a row needs of those above
/// stays in the second-level cache. What step k makes lies k columns further left than the tile, where all it needs is
/// there; the last pixel of each row is kept for the next tile.
struct TotalVariationBand {
  let job: TotalVariationJob
  let kernels: KernelTable
  let innerSteps: Int
  let band: Range<Int>
  let edges: UnsafeMutableRawPointer
  let memory: TotalVariationMemory
  let factors: VariationFactors

  /// Which columns.
  private var tile = 0..<0

  init(
    job: TotalVariationJob, kernels: KernelTable, innerSteps: Int, band: Range<Int>, edges: UnsafeMutableRawPointer,
    memory: TotalVariationMemory, factors: VariationFactors
  ) {
    self.job = job
    self.kernels = kernels
    self.innerSteps = innerSteps
    self.band = band
    self.edges = edges
    self.memory = memory
    self.factors = factors
  }

  /// Takes all lanes of a row as they lie in memory: the processor fetches what follows by itself.
  func run() {
    var part = self
    let count = memory.tileCount
    for index in 0..<count {
      part.tile = columns * index / count..<columns * (index + 1) / count
      for row in band.lowerBound - innerSteps..<band.upperBound + innerSteps {
        part.begin(row)
        for step in 1...innerSteps { part.advance(step, row: row - step) }
      }
    }
  }

  private var columns: Int { job.shape.columns }
  private var pixel: Int { job.shape.pixelByteCount }
  private var isFirstTile: Bool { tile.lowerBound == 0 }
  private var isLastTile: Bool { tile.upperBound == columns }

  /// Rows of which step `step` makes d; those of its p are the same but the last one.
  private func rows(step: Int) -> ClosedRange<Int> {
    max(0, band.lowerBound - innerSteps + step - 1)...min(columns, band.upperBound + innerSteps - step)
  }

  /// Columns of p by step `step` and of what follows from it; of d by the first step with 0.
  private func columns(step: Int) -> Range<Int> {
    (isFirstTile ? 0 : tile.lowerBound - step)..<(isLastTile ? columns : tile.upperBound - step)
  }

  /// d of a row by the first step.
  private func begin(_ row: Int) {
    guard rows(step: 1).contains(row), row < columns else { return }
    let range = columns(step: 0), difference = difference(1, row)
    takeOver(difference, .difference, 1, row, range)
    kernels.primalRow(primal(row, step: 0, range, wanted: nowhere), at(difference, range))
    handOver(difference, .difference, 1, row, range)
  }

  /// p of `row` by step `step`, and what it gives.
  private func advance(_ step: Int, row: Int) {
    let made = rows(step: step)
    guard row >= made.lowerBound, row < made.upperBound else { return }
    let isLast = step == innerSteps, range = columns(step: step), whole = dual(row, step: step)
    takeOver(whole, isLast, step, row, range)
    defer { handOver(whole, isLast, step, row, range) }
    // Below the last row is nothing: no difference.
    let below = at(difference(step, row + 1 < columns ? row + 1 : row), range)
    let stepped = DualRow(
      shape: shape(range), dual: at(dual(row, step: step - 1), range), primal: at(difference(step, row), range),
      below: below, factors: factors,
      wanted: step == 1 ? wanted(job.dual, row + 2) : wanted(isLast ? job.previous : nil, row + 1))
    guard isLast ? band.contains(row) : rows(step: step + 1).contains(row) else {
      return kernels.dualRow(stepped, at(whole, range), 16)
    }
    let next = primal(row, step: step, range, wanted: wanted(step == 1 ? job.data : nil, row + 2))
    if isLast {
      finish(stepped, next, row, range)
    } else {
      let difference = difference(step + 1, row)
      takeOver(difference, .difference, step + 1, row, range)
      make(stepped, next, at(difference, range))
      handOver(difference, .difference, step + 1, row, range)
    }
  }

  /// Several pixels in a vector are one another's neighbours: then p of the row comes first.
  private func make(_ stepped: DualRow, _ next: PrimalRow, _ difference: UnsafeMutableRawPointer) {
    if stepped.shape.lanes >= 16 { return kernels.steppedRow(stepped, next, difference) }
    kernels.dualRow(stepped, next.dual, 16)
    kernels.primalRow(next, difference)
  }

  private func finish(_ stepped: DualRow, _ next: PrimalRow, _ row: Int, _ range: Range<Int>) {
    let target = VariationTarget(
      previous: job.previous.map { at(volumeRow($0, row), range) }, momentum: job.momentum,
      isNonNegative: job.isNonNegative)
    if stepped.shape.lanes >= 16 { return kernels.lastRow(stepped, next, target) }
    kernels.dualRow(stepped, next.dual, job.dual == nil ? 16 : stepped.shape.tail)
    kernels.finishedRow(next, target)
  }

  private func primal(
    _ row: Int, step: Int, _ range: Range<Int>, wanted: UnsafeRawPointer
  ) -> PrimalRow {
    PrimalRow(
      shape: shape(range), data: at(data(row), range), dual: at(dual(row, step: step), range),
      above: at(dual(row - 1, step: step).start, range), steps: job.steps + (row * job.stepsPitch + range.lowerBound),
      factors: factors, wanted: wanted)
  }
}

// Where rows lie: column 0 of each, whether it is there or not.
extension TotalVariationBand {
  private func shape(_ range: Range<Int>) -> LaneRowShape { LaneRowShape(columns: range.count, lanes: job.shape.lanes) }

  private func at(_ row: UnsafeMutableRawPointer, _ range: Range<Int>) -> UnsafeMutableRawPointer {
    row + range.lowerBound * pixel
  }

  private func at(_ row: DualValues, _ range: Range<Int>) -> DualValues {
    guard let right = row.right else { return DualValues(pairs: at(row.start, range)) }
    return DualValues(down: at(row.start, range), right: at(right, range))
  }

  /// z of a row.
  private func data(_ row: Int) -> UnsafeMutableRawPointer {
    band.contains(row) ? volumeRow(job.data, row) : edgeRow(row, isDual: false)
  }

  /// p of a row after `step` steps; zeros above the slice.
  private func dual(_ row: Int, step: Int) -> DualValues {
    if row < 0 { return DualValues(pairs: scratchRow(memory.zeros)) }
    if step > 0 && step < innerSteps {
      let parts = memory.parts(step, row: row)
      return DualValues(down: scratchRow(parts.start), right: scratchRow(parts.right!))
    }
    if let dual = job.dual, band.contains(row) { return DualValues(pairs: volumeRow(dual, row)) }
    if step > 0 { return DualValues(pairs: scratchRow(memory.pairs(row: row))) }
    return DualValues(pairs: job.dual == nil ? scratchRow(memory.zeros) : edgeRow(row, isDual: true))
  }

  private func difference(_ step: Int, _ row: Int) -> UnsafeMutableRawPointer {
    scratchRow(memory.difference(step, row: row))
  }

  private func scratchRow(_ start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    start - tile.lowerBound * pixel
  }

  private func volumeRow(_ volume: UnsafeMutableRawPointer, _ row: Int) -> UnsafeMutableRawPointer {
    volume + row * job.shape.volumePitch * pixel
  }

  private func edgeRow(_ row: Int, isDual: Bool) -> UnsafeMutableRawPointer {
    let saved = TotalVariationEdges(start: edges, innerSteps: innerSteps, rowByteCount: (columns + 2) * pixel)
    return saved.row(row, of: band, isDual: isDual) + pixel
  }

  /// What the pass will read of a row of the tile.
  private func wanted(_ volume: UnsafeMutableRawPointer?, _ row: Int) -> UnsafeRawPointer {
    guard let volume else { return nowhere }
    return UnsafeRawPointer(volumeRow(volume, row) + tile.lowerBound * pixel)
  }

  /// Where nothing is wanted: what is in the cache anyway.
  private var nowhere: UnsafeRawPointer { UnsafeRawPointer(memory.zeros) }
}

// From a tile to the next.
extension TotalVariationBand {
  /// Puts the last pixel that the tile before made of a row left of this tile's; zeros left of the slice.
  private func takeOver(
    _ row: UnsafeMutableRawPointer, _ kind: TotalVariationMemory.Kind, _ step: Int, _ number: Int, _ range: Range<Int>
  ) {
    let kept = memory.column(kind, step, row: number - band.lowerBound + innerSteps)
    (row + (range.lowerBound - 1) * pixel).copyMemory(from: isFirstTile ? memory.zeros : kept, byteCount: pixel)
  }

  private func handOver(
    _ row: UnsafeMutableRawPointer, _ kind: TotalVariationMemory.Kind, _ step: Int, _ number: Int, _ range: Range<Int>
  ) {
    guard !isLastTile else { return }
    let kept = memory.column(kind, step, row: number - band.lowerBound + innerSteps)
    kept.copyMemory(from: row + (range.upperBound - 1) * pixel, byteCount: pixel)
  }

  /// The same for p, unless it is the volume's.
  private func takeOver(_ row: DualValues, _ isLast: Bool, _ step: Int, _ number: Int, _ range: Range<Int>) {
    guard !isKept(number, isLast) else { return }
    takeOver(row.start, .dual, step, number, range)
    if let right = row.right { takeOver(right, .right, step, number, range) }
  }

  private func handOver(_ row: DualValues, _ isLast: Bool, _ step: Int, _ number: Int, _ range: Range<Int>) {
    guard !isKept(number, isLast) else { return }
    handOver(row.start, .dual, step, number, range)
    if let right = row.right { handOver(right, .right, step, number, range) }
  }

  private func isKept(_ row: Int, _ isLast: Bool) -> Bool { isLast && job.dual != nil && band.contains(row) }
}
