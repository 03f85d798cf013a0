/// One update of a worker's volume: what it covered, how well the volume fits, and where the volume is.
///
/// ```
/// metadata (112 B, little-endian)
///    0  phase u16 (1 window, 2 final)
///    2  spread projections u15, coarse u1    4  iterations u32
///    8  index u64                           16  cursor u64 (next order)      24  generation u64
///   32  first projection u64                40  end projection u64
///   48  residual² f64                       56  data² f64                          64  duration u64 ns
///   72  first row u32, rows u32             80  non-finite u64                     88  clamped u64
///   96  dead u64                           104  negative u64
///  112  in a report of the last sweep of the final iterations, where they tell it: of each row a RowFit (16 B);
///       in one of a window with new projections an UpdateTiming (32 B)
/// ```
package struct UpdateEvent: Equatable, Sendable {
  /// The part of the scan that an update belongs to.
  package enum Phase: UInt16, Sendable {
    /// A windowed update while the scan runs.
    case window = 1
    /// An iteration over all projections after it.
    case final
  }

  /// The part of the scan.
  package var phase: Phase
  /// Number of the windowed update, or of the iteration of the final iterations, from 0.
  package var index: Int
  /// Iterations in this update.
  var iterations: Int
  /// The next order that the worker will apply.
  package var cursor: UInt64
  /// The generation of the volume that holds the result; in the final phase the one that is being written.
  package var generation: UInt64
  /// Ordinals of the projections it covers, of spread windows the newest ones.
  package var projections: Range<Int>
  /// Earlier projections that it covers beside them.
  package var spread: Int
  /// Whether its generation lies on a coarse grid, of half the columns and rows that windows have otherwise.
  package var isCoarse: Bool
  /// Rows of the detector that it covers.
  package var rows: Range<Int>
  /// ‖b − A x‖² of the last iteration, before its update.
  package var residualSquared: Double
  /// ‖b‖².
  package var dataSquared: Double
  /// Time spent, in nanoseconds.
  package var duration: UInt64
  /// Pixels that were corrected since the worker started.
  package var pixels: PixelCounts
  /// How well each row fits, from the first to the last; none where that is not told.
  package var fits: [RowFit] = []
  /// When the projections came that are new in it; nil where that is not told, and where none are.
  package var timing: UpdateTiming?

  /// An update as a worker reports it.
  package init(
    phase: Phase, index: Int, iterations: Int, cursor: UInt64, generation: UInt64, projections: Range<Int>,
    spread: Int = 0, isCoarse: Bool = false, rows: Range<Int>,
    residualSquared: Double, dataSquared: Double, duration: UInt64, pixels: PixelCounts, fits: [RowFit] = []
  ) {
    precondition(fits.isEmpty || fits.count == rows.count, "fits of \(fits.count) of \(rows.count) rows")
    self.phase = phase
    self.index = index
    self.iterations = iterations
    self.cursor = cursor
    self.generation = generation
    self.projections = projections
    self.spread = spread
    self.isCoarse = isCoarse
    self.rows = rows
    self.residualSquared = residualSquared
    self.dataSquared = dataSquared
    self.duration = duration
    self.pixels = pixels
    self.fits = fits
  }

  private static let coarseBit: UInt16 = 1 << 15

  /// Which volume a generation is, by the first four bytes of the update that made it, whatever they are.
  static func volume(of word: UInt32) -> VolumeKind {
    if UInt16(truncatingIfNeeded: word) == Phase.final.rawValue { return .finished }
    return UInt16(word >> 16) & coarseBit > 0 ? .coarse : .window
  }

  /// Which volume it made.
  var volume: VolumeKind { phase == .final ? .finished : isCoarse ? .coarse : .window }

  /// Bytes of metadata without fits and timing.
  package static let byteCount = 112

  /// Writes the event with its fits and its timing into a slot's metadata; returns the bytes used.
  package func encodeReport(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    let count = encode(into: metadata)
    RowFit.encode(fits, into: metadata, at: count)
    guard phase == .window, let timing else { return count + fits.count * RowFit.byteCount }
    precondition(fits.isEmpty, "a window's report with fits")
    timing.encode(into: metadata, at: count)
    return count + UpdateTiming.byteCount
  }

  /// Writes the event without fits and timing; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    metadata.store(phase.rawValue, at: 0)
    metadata.store(UInt16(spread) | (isCoarse ? Self.coarseBit : 0), at: 2)
    metadata.store(UInt32(iterations), at: 4)
    metadata.store(UInt64(index), at: 8)
    metadata.store(cursor, at: 16)
    metadata.store(generation, at: 24)
    metadata.store(UInt64(projections.lowerBound), at: 32)
    metadata.store(UInt64(projections.upperBound), at: 40)
    metadata.store(residualSquared, at: 48)
    metadata.store(dataSquared, at: 56)
    metadata.store(duration, at: 64)
    metadata.store(UInt32(rows.lowerBound), at: 72)
    metadata.store(UInt32(rows.count), at: 76)
    metadata.store(UInt64(pixels.nonFinite), at: 80)
    metadata.store(UInt64(pixels.clamped), at: 88)
    metadata.store(UInt64(pixels.dead), at: 96)
    metadata.store(UInt64(pixels.negative), at: 104)
    // A residual that is no number equals none, so that it is not compared.
    assert(
      (try? Self(decoding: UnsafeRawBufferPointer(rebasing: metadata[..<Self.byteCount])))?.cursor == cursor,
      "\(self) does not read back")
    return Self.byteCount
  }

  /// Reads an event back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    // Behind the event is nothing, a fit of each row, or when a window's projections came.
    let more = metadata.count - Self.byteCount
    let fields = try MetadataFields(metadata, byteCount: Self.byteCount + max(more, 0), of: "update")
    guard let phase = Phase(rawValue: fields.u16(at: 0)) else { throw .malformed("update phase \(fields.u16(at: 0))") }
    let isCoarse = fields.u16(at: 2) & Self.coarseBit > 0, spread = Int(fields.u16(at: 2) & ~Self.coarseBit)
    guard phase == .window || !isCoarse else { throw .malformed("a final update on a coarse grid") }
    guard spread <= WorkerOrder.spreadMax else { throw .malformed("update over \(spread) spread projections") }
    let first = try fields.count(at: 32, "first projection")
    let end = try fields.count(at: 40, "end projection")
    guard first <= end else { throw .malformed("update over \(first)..<\(end)") }
    let row = Int(fields.u32(at: 72)), rowCount = Int(fields.u32(at: 76))
    let isTimed = phase == .window && more == UpdateTiming.byteCount
    guard more <= 0 || isTimed || more == rowCount * RowFit.byteCount else {
      throw .malformed("update event of \(rowCount) rows with \(more) B of fits")
    }
    let pixels = PixelCounts(
      nonFinite: try fields.count(at: 80, "non-finite"), clamped: try fields.count(at: 88, "clamped"),
      dead: try fields.count(at: 96, "dead"), negative: try fields.count(at: 104, "negative"))
    self.init(
      phase: phase, index: try fields.count(at: 8, "index"), iterations: Int(fields.u32(at: 4)),
      cursor: fields.u64(at: 16),
      generation: fields.u64(at: 24), projections: first..<end, spread: spread, isCoarse: isCoarse,
      rows: row..<row + rowCount,
      residualSquared: fields.f64(at: 48), dataSquared: fields.f64(at: 56), duration: fields.u64(at: 64),
      pixels: pixels,
      fits: more > 0 && !isTimed ? RowFit.decode(fields, at: Self.byteCount, count: rowCount) : [])
    timing = isTimed ? try UpdateTiming(fields, at: Self.byteCount) : nil
  }
}
