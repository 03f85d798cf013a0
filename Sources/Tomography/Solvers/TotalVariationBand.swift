internal import KernelTypes

/// The inner steps of a band of rows, for groups of sixteen lanes or for all of a narrow block.
///
/// At row r of the band's pass, inner step k makes d of row r − k + 1 and then p of the row above it, so that the last
/// one is innerSteps rows behind when x is written there. Memory of a worker, for each group:
///
/// ```
/// differences  [innerSteps][2] rows    d of the newest two rows
/// dual         [innerSteps][2] rows    p of the newest two rows, unless it is kept in the volume
/// zeros        a row
/// ```
struct TotalVariationBand {
  let job: TotalVariationJob
  let kernels: KernelTable
  let innerSteps: Int
  let band: Range<Int>
  let edges: UnsafeMutableRawPointer
  let scratch: UnsafeMutableRawPointer
  let scratchRowByteCount: Int
  let factors: UnsafePointer<Float>

  /// Which sixteen lanes, and the worker's rows for them.
  private var group = 0
  private var rows: UnsafeMutableRawPointer

  init(
    job: TotalVariationJob, kernels: KernelTable, innerSteps: Int, band: Range<Int>, edges: UnsafeMutableRawPointer,
    scratch: UnsafeMutableRawPointer, scratchRowByteCount: Int, factors: UnsafePointer<Float>
  ) {
    self.job = job
    self.kernels = kernels
    self.innerSteps = innerSteps
    self.band = band
    self.edges = edges
    self.scratch = scratch
    self.scratchRowByteCount = scratchRowByteCount
    self.factors = factors
    rows = scratch
  }

  static func scratchRowCount(innerSteps: Int) -> Int { 4 * innerSteps + 1 }

  /// Takes all groups through each row before the next one.
  func run(groups: Range<Int>) {
    var part = self
    for row in band.lowerBound - innerSteps..<band.upperBound + innerSteps {
      for group in groups {
        part.group = group
        part.rows =
          scratch + (group - groups.lowerBound) * Self.scratchRowCount(innerSteps: innerSteps) * scratchRowByteCount
        for step in 1...innerSteps { part.advance(step, row: row - step + 1) }
        if band.contains(row - innerSteps) { part.finish(row - innerSteps) }
      }
    }
  }

  private var columns: Int { job.shape.columns }
  private var rowShape: LaneRowShape { LaneRowShape(columns: columns, lanes: job.shape.lanes) }
  /// Bytes between sixteen values in a volume: narrow pixels lie close together.
  private var stride: Int { max(64, job.shape.pixelByteCount) }

  /// d of `row` by step `step`, and p of the row above.
  private func advance(_ step: Int, row: Int) {
    let first = max(0, band.lowerBound - innerSteps + step - 1)
    guard row >= first, row <= min(columns, band.upperBound + innerSteps - step) else { return }
    if row < columns {
      kernels.primalRow(primal(row, step: step - 1, data: data(row)), LaneRow(difference(step, row), stride: 64))
    }
    guard row > first else { return }
    let above = row - 1, isKept = step == innerSteps && job.dual != nil && band.contains(above)
    // Below the last row is nothing: no difference.
    let below = difference(step, row < columns ? row : above)
    kernels.dualRow(
      DualRow(
        shape: rowShape, dual: dual(above, step: step - 1), primal: LaneRow(difference(step, above), stride: 64),
        below: below, steps: factor(1), shrinks: factor(2)),
      dual(above, step: step), isKept ? rowShape.tail : 16)
  }

  /// x of a row, after its last dual step.
  private func finish(_ row: Int) {
    let target = volumeRow(job.data, row)
    kernels.finishedRow(
      primal(row, step: innerSteps, data: target), job.previous.map { volumeRow($0, row) }, job.momentum,
      job.isNonNegative)
  }

  private func primal(_ row: Int, step: Int, data: LaneRow) -> PrimalRow {
    PrimalRow(
      shape: rowShape, data: data, dual: dual(row, step: step), above: dual(row - 1, step: step),
      steps: job.steps + row * job.stepsPitch, weights: factor(0), ahead: step == 0 || step == innerSteps ? ahead : 0)
  }

  /// Pixels of several sixteen lanes are passed in strides that the processor does not foresee.
  private var ahead: Int {
    job.shape.pixelByteCount > 64 ? job.shape.volumePitch * job.shape.pixelByteCount : 0
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
    if step == 0 { return zeros }
    return LaneRow(scratchRow(2 * innerSteps + 2 * (step - 1) + row & 1), stride: 64)
  }

  private func difference(_ step: Int, _ row: Int) -> UnsafeMutableRawPointer {
    scratchRow(2 * (step - 1) + row & 1)
  }

  private var zeros: LaneRow { LaneRow(scratchRow(4 * innerSteps), stride: 64) }

  /// Pixel 0 of a row of the worker's memory; left of it are zeros.
  private func scratchRow(_ index: Int) -> UnsafeMutableRawPointer { rows + (index * scratchRowByteCount + 64) }

  private func volumeRow(_ volume: UnsafeMutableRawPointer, _ row: Int) -> LaneRow {
    LaneRow(
      volume + (row * job.shape.volumePitch * job.shape.pixelByteCount + group * 64), stride: stride)
  }

  private func edgeRow(_ row: Int, isDual: Bool) -> LaneRow {
    let pixel = job.shape.pixelByteCount
    let saved = TotalVariationEdges(start: edges, innerSteps: innerSteps, rowByteCount: (columns + 2) * pixel)
    return LaneRow(saved.row(row, of: band, isDual: isDual) + (pixel + group * 64), stride: stride)
  }

  /// Sixteen lanes' values of one kind.
  private func factor(_ kind: Int) -> UnsafePointer<Float> {
    factors + (kind * max(16, job.shape.lanes) + 16 * group)
  }
}
