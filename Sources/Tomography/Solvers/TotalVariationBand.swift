internal import KernelTypes

/// The inner steps of a band of rows.
///
/// At row r of the band's pass d of the first inner step is made; then step k makes p of row r − k, and from it, as one
/// kernel, d of step k + 1 of the same row, or x after the last step.
///
/// Wide slices are passed in tiles of columns, all rows of one before the next, so that what a row needs of those above
/// stays in the second-level cache. What step k makes lies k columns further left than the tile, where all it needs is
/// there; the last column of each is kept for the next tile.
struct TotalVariationBand {
  let job: TotalVariationJob
  let kernels: KernelTable
  let innerSteps: Int
  let band: Range<Int>
  let edges: UnsafeMutableRawPointer
  let memory: TotalVariationMemory
  let factors: UnsafePointer<Float>

  /// Which sixteen lanes, and which columns.
  private var group = 0
  private var tile = 0..<0

  init(
    job: TotalVariationJob, kernels: KernelTable, innerSteps: Int, band: Range<Int>, edges: UnsafeMutableRawPointer,
    memory: TotalVariationMemory, factors: UnsafePointer<Float>
  ) {
    self.job = job
    self.kernels = kernels
    self.innerSteps = innerSteps
    self.band = band
    self.edges = edges
    self.memory = memory
    self.factors = factors
  }

  /// Takes all lanes through each row before the next one: the processor fetches what lies in sequence by itself.
  func run() {
    var part = self
    let groups = max(1, job.shape.lanes / 16), count = memory.tileCount
    for index in 0..<count {
      part.tile = columns * index / count..<columns * (index + 1) / count
      for row in band.lowerBound - innerSteps..<band.upperBound + innerSteps {
        for group in 0..<groups {
          part.group = group
          part.begin(row)
          for step in 1...innerSteps { part.advance(step, row: row - step) }
        }
      }
    }
  }

  private var columns: Int { job.shape.columns }
  /// Bytes between sixteen values in a volume: narrow pixels lie close together.
  private var stride: Int { max(64, job.shape.pixelByteCount) }
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
    let isLast = step == innerSteps, isKept = isLast && job.dual != nil && band.contains(row)
    let range = columns(step: step), rowShape = LaneRowShape(columns: range.count, lanes: job.shape.lanes)
    let whole = dual(row, step: step), target = at(whole, range)
    if !isKept { takeOver(whole, .dual, step, row, range) }
    defer { if !isKept { handOver(whole, .dual, step, row, range) } }
    // Below the last row is nothing: no difference.
    let below = at(difference(step, row + 1 < columns ? row + 1 : row), range)
    let stepped = DualRow(
      shape: rowShape, dual: at(dual(row, step: step - 1), range), primal: at(difference(step, row), range),
      below: below.start, steps: factor(1), shrinks: factor(2),
      wanted: step == 1 ? wanted(job.dual, row + 2) : wanted(isLast ? job.previous : nil, row + 1))
    guard isLast ? band.contains(row) : rows(step: step + 1).contains(row) else {
      return kernels.dualRow(stepped, target, 16)
    }
    let next = primal(row, step: step, range, wanted: wanted(step == 1 ? job.data : nil, row + 2))
    // Several pixels in a vector are one another's neighbours.
    let isWide = rowShape.lanes == 16
    if isLast {
      let previous = job.previous.map { at(volumeRow($0, row), range) }
      if isWide { return kernels.lastRow(stepped, target, next, previous, job.momentum, job.isNonNegative) }
      kernels.dualRow(stepped, target, isKept ? rowShape.tail : 16)
      kernels.finishedRow(next, previous, job.momentum, job.isNonNegative)
    } else {
      let difference = difference(step + 1, row)
      takeOver(difference, .difference, step + 1, row, range)
      if isWide {
        kernels.steppedRow(stepped, target, next, at(difference, range))
      } else {
        kernels.dualRow(stepped, target, 16)
        kernels.primalRow(next, at(difference, range))
      }
      handOver(difference, .difference, step + 1, row, range)
    }
  }

  private func primal(_ row: Int, step: Int, _ range: Range<Int>, wanted: LaneRow) -> PrimalRow {
    PrimalRow(
      shape: LaneRowShape(columns: range.count, lanes: job.shape.lanes), data: at(data(row), range),
      dual: at(dual(row, step: step), range), above: at(dual(row - 1, step: step), range),
      steps: job.steps + (row * job.stepsPitch + range.lowerBound), weights: factor(0), wanted: wanted)
  }
}

// Where rows lie: column 0 of each, whether it is there or not.
extension TotalVariationBand {
  private func at(_ row: LaneRow, _ range: Range<Int>) -> LaneRow {
    LaneRow(row.start + range.lowerBound * row.stride, stride: row.stride)
  }

  /// z of a row.
  private func data(_ row: Int) -> LaneRow {
    band.contains(row) ? volumeRow(job.data, row) : edgeRow(row, isDual: false)
  }

  /// p of a row after `step` steps.
  private func dual(_ row: Int, step: Int) -> LaneRow {
    if row < 0 { return zeros }
    if let dual = job.dual, step == 0 || step == innerSteps {
      if band.contains(row) { return volumeRow(dual, row) }
      if step == 0 { return edgeRow(row, isDual: true) }
    }
    return step == 0 ? zeros : scratchRow(memory.dual(step, row: row, group: group))
  }

  private func difference(_ step: Int, _ row: Int) -> LaneRow {
    scratchRow(memory.difference(step, row: row, group: group))
  }

  private var zeros: LaneRow { scratchRow(memory.zeros) }

  private func scratchRow(_ start: UnsafeMutableRawPointer) -> LaneRow {
    LaneRow(start - tile.lowerBound * 64, stride: 64)
  }

  private func volumeRow(_ volume: UnsafeMutableRawPointer, _ row: Int) -> LaneRow {
    LaneRow(
      volume + (row * job.shape.volumePitch * job.shape.pixelByteCount + group * 64), stride: stride)
  }

  private func edgeRow(_ row: Int, isDual: Bool) -> LaneRow {
    let pixel = job.shape.pixelByteCount
    let saved = TotalVariationEdges(start: edges, innerSteps: innerSteps, rowByteCount: (columns + 2) * pixel)
    return LaneRow(saved.row(row, of: band, isDual: isDual) + (pixel + group * 64), stride: stride)
  }

  /// What the pass will read of a row of the tile. Each sixteen lanes ask for a part of all of them, so that addresses
  /// follow each other.
  private func wanted(_ volume: UnsafeMutableRawPointer?, _ row: Int) -> LaneRow {
    guard let volume else { return nowhere }
    let offset = (row * job.shape.volumePitch + tile.lowerBound) * job.shape.pixelByteCount
    return LaneRow(volume + (offset + group * tile.count * 64), stride: 64)
  }

  /// Where nothing is wanted: what is in the cache anyway.
  private var nowhere: LaneRow { LaneRow(memory.zeros, stride: 0) }

  /// Sixteen lanes' values of one kind.
  private func factor(_ kind: Int) -> UnsafePointer<Float> {
    factors + (kind * max(16, job.shape.lanes) + 16 * group)
  }
}

// From a tile to the next.
extension TotalVariationBand {
  /// Puts the last column that the tile before made of a row left of this tile's; zeros left of the slice.
  private func takeOver(
    _ row: LaneRow, _ kind: TotalVariationMemory.Kind, _ step: Int, _ number: Int, _ range: Range<Int>
  ) {
    let kept = memory.column(kind, step, row: number - band.lowerBound + innerSteps, group: group)
    copySixteen(isFirstTile ? memory.zeros : kept, row.start + (range.lowerBound - 1) * row.stride)
  }

  private func handOver(
    _ row: LaneRow, _ kind: TotalVariationMemory.Kind, _ step: Int, _ number: Int, _ range: Range<Int>
  ) {
    guard !isLastTile else { return }
    let kept = memory.column(kind, step, row: number - band.lowerBound + innerSteps, group: group)
    copySixteen(row.start + (range.upperBound - 1) * row.stride, kept)
  }

  private func copySixteen(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    target.storeBytes(of: source.loadUnaligned(as: SIMD16<Float>.self), as: SIMD16<Float>.self)
  }
}
