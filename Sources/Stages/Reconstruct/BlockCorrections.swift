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
  private let interpolatesFlats: Bool
  /// The flats before the projections and those behind them, a block each; nil while none came behind.
  private var ends: (before: [FlatDarkAccumulator], behind: [FlatDarkAccumulator])?
  private var corrections: [Correction]?
  private var counts: [CorrectionCounts]
  /// What is known of silent pixels, a block.
  private var silent: [SilentPixels]
  /// What a predecessor counted.
  private var before = PixelCounts()
  /// Line integrals of the worker's rows, rows × columns.
  private let scratch: UnsafeMutableBufferPointer<Float>
  /// The same of windows that are made of binned ones, and of those on a coarse grid; nil where none are.
  private let binned: BinnedLines?
  private let coarse: BinnedLines?

  /// Without fields yet. With `interpolatesFlats` flats behind the projections make each projection's own, with
  /// `binned` the projections of windows are binned once they are corrected, and with `coarse` as well.
  init(
    layout: SliceLayout, minusLog: Bool, nonNegative: Bool, interpolatesFlats: Bool = false, binned: LiveLayout? = nil,
    coarse: LiveLayout? = nil
  ) {
    self.layout = layout
    self.minusLog = minusLog
    self.interpolatesFlats = interpolatesFlats
    self.nonNegative = nonNegative
    accumulators = (0..<layout.blockCount).map { block in
      FlatDarkAccumulator(rows: layout.rows(of: block..<block + 1).count, columns: layout.measured.count)
    }
    silent = Self.nothingKnown(layout)
    counts = Array(repeating: CorrectionCounts(), count: layout.blockCount)
    scratch = .allocate(capacity: layout.rows * layout.measured.count)
    (self.binned, self.coarse) = (binned.map(BinnedLines.init), coarse.map(BinnedLines.init))
  }

  deinit { scratch.deallocate() }

  /// Bytes of the sums of flats and darks, the corrections made of them, silent pixels, and one projection's line
  /// integrals.
  static func byteCount(
    layout: SliceLayout, interpolatesFlats: Bool, binned: LiveLayout? = nil, coarse: LiveLayout? = nil
  ) -> Int {
    (interpolatesFlats ? 3 : 1) * FlatDarkAccumulator.byteCount(rows: layout.rows, columns: layout.measured.count)
      + SilentPixels.byteCount(rows: layout.rows, columns: layout.measured.count)
      + layout.rows * layout.measured.count * 3 * MemoryLayout<Float>.stride
      + [binned, coarse].reduce(0) { $0 + ($1.map(BinnedLines.byteCount) ?? 0) }
  }

  private static func nothingKnown(_ layout: SliceLayout) -> [SilentPixels] {
    (0..<layout.blockCount).map {
      SilentPixels(rows: layout.rows(of: $0..<$0 + 1).count, columns: layout.measured.count)
    }
  }

  /// Projections that were looked at for silent pixels: the first ones of the scan, or some from all of it.
  var listenedCount: Int { silent[0].count }

  /// Looks at one more of these. Line integrals have no dark field to be silent at.
  func listen(_ pixels: RowPixels, _ executor: some Executor) {
    precondition(minusLog, "a projection of line integrals was listened to")
    let corrections = current(), layout = layout
    silent.withUnsafeMutableBufferPointer { silent in
      // Sound: each item reads its own correction and writes what is known of its own block.
      nonisolated(unsafe) let (silent, pixels) = (silent, pixels)
      executor.forEach(count: silent.count) { block in
        let row = layout.rows(of: block..<block + 1).lowerBound
        corrections[block].note(pixels.row(row, columns: layout.measured.count), type: pixels.type, in: &silent[block])
      }
    }
  }

  /// Adds one flat or dark. What was corrected before keeps the fields that were known then, until it is stored anew.
  /// `isBehind` says whether a projection came before it.
  func add(_ role: ImageRole, _ pixels: RowPixels, isBehind: Bool) {
    if interpolatesFlats, role == .flat, isBehind, ends == nil {
      let none = accumulators.map { FlatDarkAccumulator(rows: $0.rows, columns: $0.columns) }
      ends = (accumulators, none)
    }
    for block in accumulators.indices {
      let rows = layout.rows(of: block..<block + 1)
      let bytes = UnsafeRawBufferPointer(
        start: pixels.row(rows.lowerBound, columns: layout.measured.count),
        count: rows.count * layout.measured.count * pixels.type.byteCount)
      switch role {
      case .flat:
        accumulators[block].add(flat: bytes, type: pixels.type)
        if isBehind { ends?.behind[block].add(flat: bytes, type: pixels.type) }
      case .dark: accumulators[block].add(dark: bytes, type: pixels.type)
      case .projection: preconditionFailure("a projection is no flat or dark field")
      }
    }
    corrections = nil
    silent = Self.nothingKnown(layout)
  }

  /// σ of a line integral in each row of a block, whose projections a sinogram of just this block holds, from the
  /// photons of the flats; nil where these do not tell it. `layout` is the sinogram's, where that is another.
  func noise(
    of block: Int, _ sinogram: SinogramBuffer, _ angles: [WindowAngle], layout: SliceLayout? = nil
  ) -> [Float]? {
    guard minusLog else { return nil }
    return PhotonNoise(accumulators[block])?.noise(
      block: block, layout: layout ?? self.layout, sinogram: sinogram.base, slots: sinogram.slots, angles: angles)
  }

  /// Flats and darks that were added.
  var fieldCounts: (flats: Int, darks: Int) { (accumulators[0].flatCount, accumulators[0].darkCount) }

  /// Corrects the rows of `blocks` of one projection, block by block in parallel, and puts them into a slot of a
  /// window that holds exactly these blocks; where windows are made of binned ones, of all blocks and binned. It is the
  /// scan's projection `ordinal`.
  func store(
    _ pixels: RowPixels, ordinal: Int, blocks: Range<Int>, slot: Int, in window: WindowBuffer,
    _ executor: some Executor, counting: Bool
  ) {
    let silent = silent
    let corrections = current()
    let columns = layout.measured.count
    // Sound: each item reads its own correction and writes its own block's rows of scratch and its own count.
    nonisolated(unsafe) let scratch = self.scratch.baseAddress!
    counts.withUnsafeMutableBufferPointer { counts in
      nonisolated(unsafe) let counts = counts
      executor.forEach(count: blocks.count) { item in
        let block = blocks.lowerBound + item
        let row = layout.rows(of: block..<block + 1).lowerBound
        let replaced = corrections[block].apply(
          pixels.row(row, columns: columns), type: pixels.type, into: scratch + row * columns, silent: silent[block],
          number: ordinal)
        if counting { counts[block] += replaced }
      }
    }
    precondition(
      binned == nil && coarse == nil || blocks == 0..<layout.blockCount,
      "binned ones lie across blocks, of which \(blocks) are stored")
    let lines = UnsafePointer(scratch), sinogram = window.sinogram
    if let binned {
      binned.store(lines, of: layout, slot: slot, in: sinogram)
    } else {
      layout.storeProjection(lines, blocks: blocks, slot: slot, slots: sinogram.slots, into: sinogram.storage)
    }
    if let coarse, let target = window.coarse { coarse.store(lines, of: layout, slot: slot, in: target) }
  }

  /// Forgets what was counted while the projections came: they are corrected again, with all fields of the scan, and
  /// with zero for line integrals below it where these have no meaning.
  func startOver(nonNegative: Bool) {
    self.nonNegative = nonNegative
    corrections = nil
    silent = Self.nothingKnown(layout)
    before = .init()
    for block in counts.indices { counts[block] = CorrectionCounts() }
  }

  /// Goes on after what a predecessor counted.
  func resumeCounting(from pixels: PixelCounts) { before = pixels }

  /// Corrects one block's rows of some projections, in parallel, and puts them into their slots of a sinogram that
  /// holds just this block.
  func store(_ batch: RowBatch, block: Int, in sinogram: SinogramBuffer, _ executor: some Executor) {
    let rows = layout.rows(of: block..<block + 1), part = layout.with(rows: rows.count)
    precondition(
      batch.rows.lowerBound <= rows.lowerBound && rows.upperBound <= batch.rows.upperBound,
      "rows \(rows) are to be stored, \(batch.rows) were read")
    count(
      store(
        batch, block: block, skipping: rows.lowerBound - batch.rows.lowerBound, counted: nil, as: part, in: sinogram,
        executor), block: block)
  }

  /// Adds what was replaced in a block.
  func count(_ replaced: CorrectionCounts, block: Int) {
    counts[block] += replaced
    // Dead pixels are counted by the corrections, which who counts may not have needed so far.
    _ = current()
  }

  /// Corrects a block's rows of some projections, the first of which lies so many rows behind the batch's, and puts
  /// them into their slots of a sinogram of one block, with zeros behind them. Returns what was replaced in `counted`
  /// of the block's rows, or in all.
  func store(
    _ batch: RowBatch, block: Int, skipping rows: Int, counted: Range<Int>?, as target: SliceLayout,
    in sinogram: SinogramBuffer, _ executor: some Executor
  ) -> CorrectionCounts {
    let (correction, silent, columns) = (current()[block], silent[block], layout.measured.count)
    let values = layout.rows(of: block..<block + 1).count * columns
    var replaced = Array(repeating: CorrectionCounts(), count: batch.parts.count)
    replaced.withUnsafeMutableBufferPointer { replaced in
      // Sound: each item writes its own count and its own slot.
      nonisolated(unsafe) let replaced = replaced
      executor.forEach(count: batch.parts.count) { item in
        let raw = batch.parts[item]
        withUnsafeTemporaryAllocation(of: Float.self, capacity: target.rows * columns) { line in
          let start = line.baseAddress!
          replaced[item] = correction.apply(
            raw.base + rows * columns * raw.type.byteCount, type: raw.type, into: start, silent: silent,
            time: (Float(raw.slot) + 0.5) / Float(sinogram.slots), counted: counted)
          (start + values).update(repeating: 0, count: line.count - values)
          target.storeProjection(
            start, blocks: 0..<1, slot: raw.slot, slots: sinogram.slots, into: sinogram.storage)
        }
      }
    }
    return replaced.reduce(into: CorrectionCounts()) { $0 += $1 }
  }

  private func current() -> [Correction] {
    if let corrections { return corrections }
    let made = accumulators.enumerated().map { block, fields in
      Correction(
        rows: fields.rows, columns: fields.columns, flats: fields,
        ends: ends.map { ($0.before[block], $0.behind[block]) }, minusLog: minusLog, nonNegative: nonNegative)
    }
    corrections = made
    return made
  }

  /// What was replaced since the start.
  var pixelCounts: PixelCounts { pixelCounts(ofBlocks: counts.count) }

  /// The same, of the first blocks: others may have been corrected ahead.
  func pixelCounts(ofBlocks blocks: Int) -> PixelCounts {
    var total = counts[..<blocks].reduce(before) { $0 + PixelCounts($1) }
    // Dead and silent pixels are the same in every projection.
    total.dead =
      corrections.map { zip($0, silent).reduce(0) { $0 + $1.0.deadPixelCount + $1.0.silentCount($1.1) } } ?? 0
    return total
  }
}
