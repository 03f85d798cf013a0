/// What `control` saw of one worker's volume after an update: how much it changed in so many updates, and how near it
/// is to the truth where that is known. Slices are compared between `black` and `white`, which stay the same once they
/// have settled. What nodes saw of their granules stands behind the workers: granule g of a run with w workers is
/// worker w + g.
///
/// ```
/// metadata (64 B, little-endian)
///    0  worker u32, streak u32       8  update u64 (its number)      16  projections u64 (end of its window)
///   24  against u64 (end of the window of the volume it was compared with; 0 for none)
///   32  similarity f64 (NaN for none)      40  truth f64 (NaN for none)      48  black f64      56  white f64
///       bit 31 of streak: black and white had not settled
/// ```
@dynamicMemberLookup
package struct ScoreEvent: Equatable, Sendable {
  /// The worker, or behind all of them the granule.
  package var worker: Int
  /// What was seen.
  package var value: SliceScore
  /// MS-SSIM with the reference volume.
  package var truth: Double?

  /// A score as `control` reports it.
  package init(worker: Int, _ value: SliceScore, truth: Double?) {
    (self.worker, self.value, self.truth) = (worker, value, truth)
  }

  /// The grey values between which slices are compared, in 1/pixel.
  package var range: ClosedRange<Double> { value.black...value.white }

  /// A value of the score.
  package subscript<Value>(dynamicMember path: WritableKeyPath<SliceScore, Value>) -> Value {
    get { value[keyPath: path] }
    set { value[keyPath: path] = newValue }
  }

  /// Bytes of metadata.
  static let byteCount = 64
  private static let unsettled: UInt32 = 1 << 31

  /// Writes the event into a slot's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    metadata.store(UInt32(worker), at: 0)
    metadata.store(UInt32(value.streak) | (value.isSettled ? 0 : Self.unsettled), at: 4)
    metadata.store(UInt64(value.update), at: 8)
    metadata.store(UInt64(value.projections), at: 16)
    metadata.store(UInt64(value.against ?? 0), at: 24)
    metadata.store(value.similarity ?? .nan, at: 32)
    metadata.store(truth ?? .nan, at: 40)
    metadata.store(value.black, at: 48)
    metadata.store(value.white, at: 56)
    return Self.byteCount
  }

  /// Reads an event back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let fields = try MetadataFields(metadata, byteCount: Self.byteCount, of: "score")
    func score(at offset: Int) throws(EventError) -> Double? {
      let value = fields.f64(at: offset)
      guard value.isNaN || SliceScore.isSimilarity(value) else { throw .malformed("a score of \(value)") }
      return value.isNaN ? nil : value
    }
    let against = try fields.count(at: 24, "against")
    let (black, white) = (fields.f64(at: 48), fields.f64(at: 56))
    guard black.isFinite, white.isFinite, black < white else {
      throw .malformed("grey values from \(black) to \(white)")
    }
    let value = SliceScore(
      update: try fields.count(at: 8, "update"), projections: try fields.count(at: 16, "projections"),
      against: against > 0 ? against : nil, similarity: try score(at: 32),
      streak: Int(fields.u32(at: 4) & ~Self.unsettled), black: black, white: white,
      isSettled: fields.u32(at: 4) < Self.unsettled)
    self.init(worker: Int(fields.u32(at: 0)), value, truth: try score(at: 40))
  }
}
