/// The last event of a topic: nothing follows, and why.
///
/// ```
/// metadata (40 B, little-endian; 48 B where it is known whether the sample leaves the detector)
///    0  reason u32, fields u32       8  projections u64     16  duplicates u64
///   24  generation u64              32  acquired u64        40  sample u64 (1 stays, 2 leaves)
/// ```
package struct EndEvent: Equatable, Sendable {
  /// Why the scan ended.
  package enum Reason: UInt32, Sendable, CaseIterable {
    /// The source had no more projections.
    case sourceEnded = 1
    /// A person or the system asked for it by a signal.
    case signal
    /// The end of the scan is lost: it ends where its records do.
    case salvaged
    /// `control` ordered it; its command says why.
    case finalized
    /// The detector began another series before all of the scan came.
    case overtaken
    /// No frame of the scan came for longer than its source may be silent.
    case silence

    /// The word in reports and outputs.
    package var word: String {
      switch self {
      case .sourceEnded: "end of scan"
      case .signal: "signal"
      case .salvaged: "end of what was salvaged"
      case .finalized: "finalized"
      case .overtaken: "another series, which began before all of the scan came"
      case .silence: "silence of the source before all of the scan came"
      }
    }
  }

  /// Why the scan ended.
  package var reason: Reason
  /// Projections that the writer of the topic published or applied.
  package var projections: Int
  /// Projections that were acquired: what was lost on the way is the difference.
  package var acquired: Int
  /// Events that came twice and were dropped by the writer of the topic.
  package var duplicates: Int
  /// In `updates`: the generation of the finished volume. A volume that is restored from an older state is finished
  /// when it is there again.
  package var generation: UInt64
  /// In `updates`: flat and dark fields that the worker used.
  package var fields: Int
  /// Of images that go to nodes, which have some rows each: whether the sample reaches beyond the detector in any row
  /// of it, as the edge saw. Nil where nobody needs to be told.
  package var sampleLeaves: Bool?

  /// The end of a topic.
  package init(
    reason: Reason, projections: Int, acquired: Int? = nil, duplicates: Int = 0, generation: UInt64 = 0,
    fields: Int = 0, sampleLeaves: Bool? = nil
  ) {
    self.reason = reason
    self.projections = projections
    self.acquired = acquired ?? projections
    self.duplicates = duplicates
    self.generation = generation
    self.fields = fields
    self.sampleLeaves = sampleLeaves
  }

  /// Bytes of metadata, and of one that says what the sample does.
  private static let (byteCount, byteCountOfSample) = (40, 48)

  /// Writes the event into a slot's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    metadata.store(reason.rawValue, at: 0)
    metadata.store(UInt32(fields), at: 4)
    metadata.store(UInt64(projections), at: 8)
    metadata.store(UInt64(duplicates), at: 16)
    metadata.store(generation, at: 24)
    metadata.store(UInt64(acquired), at: 32)
    if let sampleLeaves { metadata.store(UInt64(sampleLeaves ? 2 : 1), at: 40) }
    let byteCount = sampleLeaves == nil ? Self.byteCount : Self.byteCountOfSample
    assert(
      (try? Self(decoding: UnsafeRawBufferPointer(rebasing: metadata[..<byteCount]))) == self,
      "\(self) does not read back")
    return byteCount
  }

  /// Reads an event back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let hasSample = metadata.count == Self.byteCountOfSample
    let fields = try MetadataFields(
      metadata, byteCount: hasSample ? Self.byteCountOfSample : Self.byteCount, of: "end")
    let sample = hasSample ? fields.u64(at: 40) : nil
    guard sample.map({ (1...2).contains($0) }) ?? true else { throw .malformed("a sample of kind \(sample ?? 0)") }
    guard let reason = Reason(rawValue: fields.u32(at: 0)) else { throw .malformed("end reason \(fields.u32(at: 0))") }
    self.init(
      reason: reason, projections: try fields.count(at: 8, "projections"),
      acquired: try fields.count(at: 32, "acquired"),
      duplicates: try fields.count(at: 16, "duplicates"),
      generation: fields.u64(at: 24), fields: Int(fields.u32(at: 4)), sampleLeaves: sample.map { $0 == 2 })
  }
}
