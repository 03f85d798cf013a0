/// What `control` tells the source: to end the scan with what was acquired. A run has one at most.
///
/// ```
/// metadata (24 + n B, little-endian)
///    0  action u32 (1 finalize)     4  cause u32     8  projections u64     16  n u32
///   20  late u32: milliseconds + 1, 0 where that is not known
///   24  words, UTF-8, n B (1 … 512): who or what decided
///       cause: 1 person   2 similarity   3 divergence
/// ```
package struct CommandEvent: Equatable, Sendable {
  /// What made the decision.
  package enum Cause: UInt32, Sendable, CaseIterable {
    /// Somebody asked for it.
    case person = 1
    /// The volume changes no more.
    case similarity
    /// The volume gets worse.
    case divergence
  }

  /// What made the decision.
  package var cause: Cause
  /// Projections that the decision is based on; 0 for a person's.
  package var projections: Int
  /// Milliseconds from when the last of those projections was acquired to the decision; nil where that is not known.
  package var late: Int?
  /// Who or what decided, as in `anna` or `control: MS-SSIM 0.961`; behind `finalized by` in reports and outputs.
  package var words: String

  /// The most bytes of `words`.
  package static let wordsMax = 512
  /// The latest that can be told, seven weeks.
  private static let lateMax = Int(UInt32.max) - 1
  private static let fixedByteCount = 24

  /// An order to end the scan. Words of more than `wordsMax` bytes are cut off.
  package init(cause: Cause, projections: Int = 0, late: Int? = nil, words: String) {
    precondition(!words.isEmpty, "a command says why")
    precondition(late.map { $0 >= 0 } ?? true, "a decision \(late ?? 0) ms late")
    self.late = late.map { min($0, Self.lateMax) }
    self.cause = cause
    self.projections = projections
    self.words = words
    while self.words.utf8.count > Self.wordsMax { self.words.removeLast() }
  }

  /// The reason in reports and outputs.
  package var reason: String { "finalized by \(words)" }

  /// Writes the event into a slot's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    let text = Array(words.utf8)
    precondition(text.count <= Self.wordsMax, "a command of \(text.count) B of words: \(Self.wordsMax) are possible")
    precondition(
      metadata.count >= Self.fixedByteCount + text.count, "\(metadata.count) B for a command of \(text.count) B")
    metadata.store(UInt32(1), at: 0)
    metadata.store(cause.rawValue, at: 4)
    metadata.store(UInt64(projections), at: 8)
    metadata.store(UInt32(text.count), at: 16)
    metadata.store(UInt32((late ?? -1) + 1), at: 20)
    UnsafeMutableRawBufferPointer(rebasing: metadata[Self.fixedByteCount...]).copyBytes(from: text)
    return Self.fixedByteCount + text.count
  }

  /// Reads an event back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let fixed = UnsafeRawBufferPointer(rebasing: metadata.prefix(Self.fixedByteCount))
    let fields = try MetadataFields(fixed, byteCount: Self.fixedByteCount, of: "command")
    guard fields.u32(at: 0) == 1 else { throw .malformed("command action \(fields.u32(at: 0))") }
    guard let cause = Cause(rawValue: fields.u32(at: 4)) else { throw .malformed("command cause \(fields.u32(at: 4))") }
    let byteCount = Int(fields.u32(at: 16))
    guard (1...Self.wordsMax).contains(byteCount), metadata.count == Self.fixedByteCount + byteCount else {
      throw .malformed("command of \(metadata.count) B with \(byteCount) B of words")
    }
    guard let words = String(validating: metadata.dropFirst(Self.fixedByteCount), as: UTF8.self) else {
      throw .malformed("command with words that are not UTF-8")
    }
    let late = Int(fields.u32(at: 20)) - 1
    self.init(
      cause: cause, projections: try fields.count(at: 8, "projections"), late: late < 0 ? nil : late, words: words)
  }
}
