package import Rings

/// How far `correct` is. Every image of `corrected` carries the progress after it, so that a successor goes on exactly
/// there, and reads flats and darks again and no projection.
///
/// ```
/// metadata (16 B, little-endian)
///    0  input u64 (next event of projections)      8  fields u32, reserved u32
/// ```
package struct CorrectionProgress: Equatable, Sendable {
  /// The next event of `projections`.
  package private(set) var input: UInt64 = 0
  /// Flats and darks that came.
  package private(set) var fields = 0

  /// The beginning.
  package init() {}

  /// Bytes of metadata.
  static let byteCount = 16

  /// Takes note of an image, the event `sequence` of `projections`.
  package mutating func note(_ kind: EventKind, sequence: UInt64) {
    precondition(sequence >= input, "event \(sequence) came after \(input)")
    input = sequence + 1
    if kind == .flat || kind == .dark { fields += 1 }
  }

  /// Writes the progress into an image's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    metadata.store(input, at: 0)
    metadata.store(UInt32(clamping: fields), at: 8)
    metadata.store(UInt32(0), at: 12)
    return Self.byteCount
  }

  /// Reads the progress back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let values = try MetadataFields(metadata, byteCount: Self.byteCount, of: "corrected image's")
    input = UInt64(try values.count(at: 0, "input"))
    fields = Int(values.u32(at: 8))
    guard fields <= input else { throw .malformed("\(fields) fields in \(input) events") }
  }
}
