import KernelTypes
import RunModel
import Tomography
import Topics

/// Corrects the rows of a worker's slabs: its own, and those of its neighbours that these are computed with. What is
/// replaced in its own rows is counted in the worker's `BlockCorrections`, whose blocks the slabs are.
final class SlabCorrections {
  let slabs: RowSlabs
  /// The worker's first slab.
  private let first: Int
  /// The first row that is needed, of the detector; and all of them.
  let rows: Range<Int>
  private let workerRows: Range<Int>
  private let layout: SliceLayout
  /// Of each slab, one block.
  private let parts: [BlockCorrections]

  init(_ configuration: ReconstructStage.Configuration, slabs: RowSlabs) {
    let (own, step) = (configuration.rows, slabs.step)
    precondition(own.lowerBound % step == 0, "a worker with rows \(own), slabs of \(step)")
    self.slabs = slabs
    workerRows = own
    first = own.lowerBound / step
    layout = slabs.layout(like: configuration.layout)
    let (first, layout) = (first, layout)
    let numbers = first..<first + configuration.layout.blockCount
    rows = slabs.computed(first).lowerBound..<slabs.computed(numbers.upperBound - 1).upperBound
    parts = numbers.map {
      BlockCorrections(
        layout: layout.with(rows: slabs.computed($0).count),
        minusLog: configuration.minusLog, nonNegative: false, interpolatesFlats: configuration.interpolatesFlats)
    }
  }

  /// Bytes of those of a worker.
  static func byteCount(_ configuration: ReconstructStage.Configuration, slabs: RowSlabs) -> Int {
    configuration.layout.blockCount
      * BlockCorrections.byteCount(
        layout: slabs.layout(like: configuration.layout),
        interpolatesFlats: configuration.interpolatesFlats)
  }

  /// Rows that the slab of a block is computed with, counted from the worker's first one.
  func computed(block: Int) -> Range<Int> {
    let rows = slabs.computed(first + block), start = workerRows.lowerBound
    return rows.lowerBound - start..<rows.upperBound - start
  }

  /// Which slices the solver has for a block.
  func slab(block: Int) -> SubsetSolver.Slab {
    let (computed, own) = (slabs.computed(first + block), slabs.own(first + block))
    return SubsetSolver.Slab(
      count: computed.count, own: own.lowerBound - computed.lowerBound..<own.upperBound - computed.lowerBound)
  }

  /// Adds one flat or dark, of which `pixels` are `rows`.
  func add(_ role: ImageRole, _ pixels: RowPixels, isBehind: Bool) {
    forEachPart { $0.add(role, pixels.from($1, columns: layout.measured.count), isBehind: isBehind) }
  }

  /// Looks for silent pixels in one more projection, of which `pixels` are `rows`.
  func listen(_ pixels: RowPixels, _ executor: some Executor) {
    forEachPart { $0.listen(pixels.from($1, columns: layout.measured.count), executor) }
  }

  private func forEachPart(_ body: (_ part: BlockCorrections, _ firstRow: Int) -> Void) {
    for (index, part) in parts.enumerated() { body(part, slabs.computed(first + index).lowerBound - rows.lowerBound) }
  }

  /// Corrects the rows of a block's slab, which are those of the batch, and puts them into a sinogram.
  func store(
    _ batch: RowBatch, block: Int, in sinogram: SinogramBuffer, counting corrections: BlockCorrections,
    _ executor: some Executor
  ) {
    precondition(batch.rows == computed(block: block), "rows \(batch.rows) for the slab of block \(block)")
    let replaced = parts[block].store(
      batch, block: 0, skipping: 0, counted: slab(block: block).own, as: layout, in: sinogram, executor)
    corrections.count(replaced, block: block)
  }

  /// σ of a line integral in each lane of a block's slab; nil where the flats do not tell it.
  func noise(of block: Int, _ sinogram: SinogramBuffer, _ angles: [WindowAngle]) -> [Float]? {
    parts[block].noise(of: 0, sinogram, angles, layout: layout).map { noise in
      noise + Array(repeating: 0, count: layout.lanes - noise.count)
    }
  }
}

extension ReconstructStage {
  /// With all flats and darks of the scan, and what is known of silent pixels; nil where slices stand by themselves.
  func slabCorrections() throws -> SlabCorrections? {
    guard let slabs = configuration.slabs else { return nil }
    let corrections = SlabCorrections(configuration, slabs: slabs), columns = configuration.layout.measured.count
    for image in fieldImages {
      let event = try projections.event(at: image.sequence, rows: corrections.rows)
      corrections.add(
        image.role, try RowPixels(event, rows: corrections.rows, columns: columns), isBehind: image.isBehind)
    }
    for sequence in silentSequences {
      let event = try projections.event(at: sequence, rows: corrections.rows)
      corrections.listen(try RowPixels(event, rows: corrections.rows, columns: columns), executor)
    }
    return corrections
  }
}
