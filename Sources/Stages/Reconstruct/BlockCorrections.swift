import Host
import KernelTypes
import RunModel
import Tomography

/// Turns a worker's counts into line integrals, one block of slices at a time, so that the blocks are corrected in
/// parallel.
final class BlockCorrections {
  private let layout: SliceLayout
  private let minusLog: Bool
  private var nonNegative: Bool
  private var accumulators: [FlatDarkAccumulator]
  private var corrections: [Correction]?
  private var counts: [CorrectionCounts]
  /// What a predecessor counted.
  private var before = PixelCounts()
  /// Line integrals of the worker's rows, rows × columns.
  private let scratch: UnsafeMutableBufferPointer<Float>

  /// With `tracksNoise` the noise of line integrals can be asked for.
  init(layout: SliceLayout, minusLog: Bool, nonNegative: Bool, tracksNoise: Bool) {
    self.layout = layout
    self.minusLog = minusLog
    self.nonNegative = nonNegative
    accumulators = (0..<layout.blockCount).map { block in
      FlatDarkAccumulator(
        rows: layout.rows(of: block..<block + 1).count, columns: layout.columns, tracksNoise: tracksNoise)
    }
    counts = Array(repeating: CorrectionCounts(), count: layout.blockCount)
    scratch = .allocate(capacity: layout.rows * layout.columns)
  }

  deinit { scratch.deallocate() }

  /// Bytes of the sums of flats and darks, the corrections made of them, and one projection's line integrals.
  static func byteCount(layout: SliceLayout, tracksNoise: Bool) -> Int {
    FlatDarkAccumulator.byteCount(rows: layout.rows, columns: layout.columns, tracksNoise: tracksNoise)
      + layout.rows * layout.columns * 3 * MemoryLayout<Float>.stride
  }

  /// Adds one flat or dark. What was corrected before keeps the fields that were known then, until it is stored anew.
  func add(_ role: ImageRole, _ pixels: RowPixels) {
    for block in accumulators.indices {
      let rows = layout.rows(of: block..<block + 1)
      let bytes = UnsafeRawBufferPointer(
        start: pixels.row(rows.lowerBound, columns: layout.columns),
        count: rows.count * layout.columns * pixels.type.byteCount)
      switch role {
      case .flat: accumulators[block].add(flat: bytes, type: pixels.type)
      case .dark: accumulators[block].add(dark: bytes, type: pixels.type)
      case .projection: preconditionFailure("a projection is no flat or dark field")
      }
    }
    corrections = nil
  }

  /// σ of a line integral in each row of a block, whose projections a sinogram of just this block holds, from the
  /// photons of the flats; nil where these do not tell it.
  func noise(of block: Int, _ sinogram: SinogramBuffer, _ angles: [WindowAngle]) -> [Float]? {
    guard minusLog else { return nil }
    return PhotonNoise(accumulators[block])?.noise(
      block: block, layout: layout, sinogram: sinogram.base, slots: sinogram.slots, angles: angles)
  }

  /// Flats and darks that were added.
  var fieldCounts: (flats: Int, darks: Int) { (accumulators[0].flatCount, accumulators[0].darkCount) }

  /// Corrects the rows of `blocks` of one projection, block by block in parallel, and puts them into a slot of a
  /// sinogram that holds exactly these blocks.
  func store(
    _ pixels: RowPixels, blocks: Range<Int>, slot: Int, in sinogram: SinogramBuffer, _ executor: some Executor,
    counting: Bool
  ) {
    let corrections = current()
    let columns = layout.columns
    // Sound: each item reads its own correction and writes its own block's rows of scratch and its own count.
    nonisolated(unsafe) let scratch = self.scratch.baseAddress!
    counts.withUnsafeMutableBufferPointer { counts in
      nonisolated(unsafe) let counts = counts
      executor.forEach(count: blocks.count) { item in
        let block = blocks.lowerBound + item
        let row = layout.rows(of: block..<block + 1).lowerBound
        let replaced = corrections[block].apply(
          pixels.row(row, columns: columns), type: pixels.type, into: scratch + row * columns)
        if counting { counts[block] += replaced }
      }
    }
    layout.storeProjection(scratch, blocks: blocks, slot: slot, slots: sinogram.slots, into: sinogram.storage)
  }

  /// Forgets what was counted while the projections came: they are corrected again, with all fields of the scan, and
  /// with zero for line integrals below it where these have no meaning.
  func startOver(nonNegative: Bool) {
    self.nonNegative = nonNegative
    corrections = nil
    before = .init()
    for block in counts.indices { counts[block] = CorrectionCounts() }
  }

  /// Goes on after what a predecessor counted.
  func resumeCounting(from pixels: PixelCounts) { before = pixels }

  /// Corrects one block's rows of some projections, in parallel, and puts them into their slots of a sinogram that
  /// holds just this block.
  func store(_ batch: RowBatch, block: Int, in sinogram: SinogramBuffer, _ executor: some Executor) {
    let correction = current()[block]
    let (columns, rows) = (layout.columns, layout.rows(of: block..<block + 1))
    let part = SliceLayout(columns: columns, rows: rows.count, lanes: layout.lanes)
    precondition(
      batch.rows.lowerBound <= rows.lowerBound && rows.upperBound <= batch.rows.upperBound,
      "rows \(rows) are to be stored, \(batch.rows) were read")
    let skipped = (rows.lowerBound - batch.rows.lowerBound) * columns
    var replaced = Array(repeating: CorrectionCounts(), count: batch.parts.count)
    replaced.withUnsafeMutableBufferPointer { replaced in
      // Sound: each item writes its own count and its own slot.
      nonisolated(unsafe) let replaced = replaced
      executor.forEach(count: batch.parts.count) { item in
        let raw = batch.parts[item]
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * columns) { line in
          replaced[item] = correction.apply(
            raw.base + skipped * raw.type.byteCount, type: raw.type, into: line.baseAddress!)
          part.storeProjection(
            line.baseAddress!, blocks: 0..<1, slot: raw.slot, slots: sinogram.slots, into: sinogram.storage)
        }
      }
    }
    for count in replaced { counts[block] += count }
  }

  private func current() -> [Correction] {
    if let corrections { return corrections }
    let made = accumulators.map {
      Correction(rows: $0.rows, columns: $0.columns, flats: $0, minusLog: minusLog, nonNegative: nonNegative)
    }
    corrections = made
    return made
  }

  /// What was replaced since the start.
  var pixelCounts: PixelCounts { pixelCounts(ofBlocks: counts.count) }

  /// The same, of the first blocks: others may have been corrected ahead.
  func pixelCounts(ofBlocks blocks: Int) -> PixelCounts {
    var total = counts[..<blocks].reduce(before) { $0 + PixelCounts($1) }
    // Dead pixels are the same in every projection.
    total.dead = corrections?.reduce(0) { $0 + $1.deadPixelCount } ?? 0
    return total
  }
}
