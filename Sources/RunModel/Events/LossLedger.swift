package import Rings

/// What a projection that is published was made of.
package enum ProjectionOrigin: Sendable {
  /// It came.
  case measured
  /// It is the weighted mean of what came before and behind it.
  case interpolated
  /// A program made it of what came before and behind it.
  case generated
}

/// What became of the frames of a source: which numbers came, which never did, which showed nothing, and what else was
/// wrong. It lies beside every image, so that a successor of `acquire` goes on with it. Frames of a scan file are its
/// images in the order of delivery.
///
/// ```
/// metadata (little-endian, 152 B and 16 for each gap; where empty frames are told, 32 and 16 for each range more)
///    0  frame u64: the image's number at the source       8  next u64: above the highest number that came
///   16  projections u64: published so far                24  flats u32, darks u32 of the source
///   32  duplicates u32, generated u32                    40  late u64
///   48  invalid u32, interpolated u32
///   56  unlisted u64: frames of gaps that are not listed any more
///   64  timestamp f64 of the source, NaN for none        72  gaps u32, ranges u32: 0, or of empty frames and one
///   80  malformed 16 × u32: messages by MessageFault    144  first u64: the number of the scan's first frame at the
///  152  gaps × (first u64, frames u64), the oldest first     source and 1; 0 where nobody knows it
///  then  0  darks f64, 8  flats f64: sums of their totals    16  empty u64: projections
///       24  emptyFlats u32, reserved u32
///       32  ranges × (first u64, frames u64) of empty projections, rising
/// ```
package struct LossLedger: Equatable, Sendable {
  /// What a frame's number says about it.
  package enum Arrival: Equatable, Sendable {
    /// The next one, or one behind a gap.
    case new(gap: Range<UInt64>)
    /// It was missing until now.
    case late
    /// It came before, or so long ago was it missing that nobody knows any more.
    case duplicate
  }

  /// The number that the source gives to frame 0; nil where it was not found out.
  package private(set) var firstFrame: UInt64?
  /// Above the highest number that came.
  package private(set) var next: UInt64 = 0
  /// Projections that were published, those in place of lost ones too.
  package private(set) var projections = 0
  /// Flat fields from the stream that were published.
  package private(set) var flats = 0
  /// Dark fields from the stream that were published.
  package private(set) var darks = 0
  /// Frames that came twice and were dropped.
  package private(set) var duplicates = 0
  /// Frames that came after one with a higher number, and were taken.
  package private(set) var late = 0
  /// Frames that the source itself marked as invalid.
  package private(set) var invalid = 0
  /// Projections in place of lost ones that are means of their neighbours.
  package private(set) var interpolated = 0
  /// Such that a program made.
  package private(set) var generated = 0
  /// Messages that were dropped, by the raw value of their `MessageFault`.
  package private(set) var malformed = [UInt32](repeating: 0, count: malformedMax)
  /// Numbers that did not come, the oldest first; the newest `gapsMax` of them.
  package private(set) var gaps: [Range<UInt64>] = []
  /// Frames in older gaps.
  package private(set) var unlisted: UInt64 = 0

  /// Intensities of the dark and flat fields that were published, each the sum of their totals.
  package struct FieldSums: Equatable, Sendable {
    /// Of the darks.
    package var darks = 0.0
    /// Of the flats.
    package var flats = 0.0

    /// Of no field, unless given.
    package init(darks: Double = 0, flats: Double = 0) { (self.darks, self.flats) = (darks, flats) }
  }

  /// The same; nil until one was measured, or where empty frames are not told.
  package private(set) var fieldSums: FieldSums?
  /// Projections that showed nothing and were left out.
  package private(set) var empty = 0
  /// Flat fields of which that is so.
  package private(set) var emptyFlats = 0
  /// Numbers of those projections, rising; the first `emptyRangesMax` ranges of them.
  package private(set) var emptyRanges: [Range<UInt64>] = []

  /// Gaps that are listed.
  package static let gapsMax = 200
  /// Ranges of empty frames that are listed.
  package static let emptyRangesMax = 30
  static let malformedMax = 16
  private static let fixedByteCount = 152
  private static let emptyByteCount = 32

  /// A ledger of nothing.
  package init() { gaps.reserveCapacity(Self.gapsMax + 1) }

  /// Frames that did not come, below the highest one that did.
  package var lost: Int { gaps.reduce(Int(clamping: unlisted)) { $0 + $1.count } }

  /// All of it in numbers.
  package var losses: Losses {
    Losses(
      lost: lost, duplicates: duplicates, late: late, interpolated: interpolated, generated: generated,
      invalid: invalid, malformed: malformed.reduce(0) { $0 + Int($1) }, empty: empty + emptyFlats)
  }

  /// Takes note of the number that the source gives to frame 0.
  package mutating func noteFirst(_ number: UInt64) {
    precondition(firstFrame == nil && number < .max, "frame 0 has number \(number), and \(firstFrame ?? 0) before")
    firstFrame = number
  }

  /// Takes note of a frame's number.
  package mutating func note(frame: UInt64) -> Arrival {
    if frame >= next {
      let gap = next..<frame
      pass(to: frame)
      next = frame + 1
      return .new(gap: gap)
    }
    guard fill(frame) else {
      duplicates += 1
      return .duplicate
    }
    late += 1
    return .late
  }

  /// Takes note that numbers below `end` will not come any more: a source said how many there were.
  package mutating func pass(to end: UInt64) {
    guard end > next else { return }
    precondition(gaps.last?.upperBound ?? 0 <= next, "a gap from \(next) on follows \(gaps.last ?? 0..<0)")
    gaps.append(next..<end)
    next = end
    if gaps.count > Self.gapsMax { unlisted += UInt64(gaps.removeFirst().count) }
  }

  /// Takes a frame out of the gaps; false where it is in none.
  mutating func fill(_ frame: UInt64) -> Bool {
    guard let index = gaps.lastIndex(where: { $0.contains(frame) }) else { return false }
    let gap = gaps[index]
    let parts = [gap.lowerBound..<frame, frame + 1..<gap.upperBound].filter { !$0.isEmpty }
    gaps.replaceSubrange(index...index, with: parts)
    if gaps.count > Self.gapsMax { unlisted += UInt64(gaps.removeFirst().count) }
    return true
  }

  /// Images of a kind that were published.
  package func count(of kind: EventKind) -> Int {
    switch kind {
    case .dark: darks
    case .flat: flats
    default: projections
    }
  }

  /// Images of a kind that came, published or left out.
  package func taken(of kind: EventKind) -> Int {
    switch kind {
    case .dark: darks
    case .flat: flats + emptyFlats
    default: projections + empty
    }
  }

  /// Takes note of the total intensity of a dark or flat field that is published.
  package mutating func noteField(_ kind: EventKind, total: Double) {
    precondition(kind == .dark || kind == .flat, "\(kind) is no field")
    // A predecessor of an older build measured none, and what is known of others says nothing.
    guard fieldSums != nil || darks + flats == 0 else { return }
    var sums = fieldSums ?? FieldSums()
    if kind == .dark { sums.darks += total } else { sums.flats += total }
    fieldSums = sums
  }

  /// Takes note of a flat or a projection that showed nothing and is left out; `frame` is its number.
  package mutating func noteEmpty(_ kind: EventKind, frame: UInt64) {
    precondition(kind == .flat || kind == .projection, "an empty \(kind)")
    fieldSums = fieldSums ?? FieldSums()
    guard kind == .projection else {
      emptyFlats += 1
      return
    }
    empty += 1
    let index = emptyRanges.firstIndex { $0.upperBound >= frame } ?? emptyRanges.endIndex
    if index < emptyRanges.endIndex, emptyRanges[index].lowerBound <= frame + 1 {
      let range = emptyRanges[index]
      emptyRanges[index] = min(range.lowerBound, frame)..<max(range.upperBound, frame + 1)
      // The next one may begin where this one now ends.
      if index + 1 < emptyRanges.endIndex, emptyRanges[index + 1].lowerBound == emptyRanges[index].upperBound {
        emptyRanges[index] = emptyRanges[index].lowerBound..<emptyRanges.remove(at: index + 1).upperBound
      }
    } else {
      emptyRanges.insert(frame..<frame + 1, at: index)
      if emptyRanges.count > Self.emptyRangesMax { emptyRanges.removeLast() }
    }
  }

  /// Takes note of an image that was published.
  package mutating func notePublished(_ kind: EventKind, _ origin: ProjectionOrigin) {
    precondition(origin == .measured || kind == .projection, "\(origin) \(kind)")
    switch kind {
    case .dark: darks += 1
    case .flat: flats += 1
    default: projections += 1
    }
    switch origin {
    case .measured: break
    case .interpolated: interpolated += 1
    case .generated: generated += 1
    }
  }

  /// Takes note of a frame that the source marked as invalid.
  package mutating func noteInvalid() { invalid += 1 }

  /// Takes note that a frame came when its place was taken.
  package mutating func noteDuplicate() { duplicates += 1 }

  /// Takes back that a frame came: it turned out to be damaged.
  package mutating func lose(_ frame: UInt64) {
    precondition(frame < next && !gaps.contains { $0.contains(frame) }, "frame \(frame) did not come")
    let index = gaps.firstIndex { $0.lowerBound > frame } ?? gaps.endIndex
    gaps.insert(frame..<frame + 1, at: index)
    if gaps.count > Self.gapsMax { unlisted += UInt64(gaps.removeFirst().count) }
  }

  /// Takes back that the highest frame came, where the last image that was published, `number`, stands in place of a
  /// lost one of the gap before it: who took that frame has died before it was published.
  package mutating func takeBack(behind number: UInt64) {
    guard let gap = gaps.last, gap.contains(number), gap.upperBound + 1 == next else { return }
    next = gap.upperBound
  }

  /// Takes note of a message that was dropped.
  package mutating func noteMalformed(_ fault: Int) {
    precondition(malformed.indices.contains(fault), "fault \(fault) of \(malformed.count)")
    malformed[fault] &+= 1
  }

  /// Writes the ledger beside the image `frame`; returns the bytes used.
  package func encode(frame: UInt64, timestamp: Double?, into metadata: UnsafeMutableRawBufferPointer) -> Int {
    precondition(gaps.count <= Self.gapsMax, "\(gaps.count) gaps are listed, \(Self.gapsMax) have room")
    metadata.store(frame, at: 0)
    metadata.store(next, at: 8)
    metadata.store(UInt64(projections), at: 16)
    metadata.store(UInt32(clamping: flats), at: 24)
    metadata.store(UInt32(clamping: darks), at: 28)
    metadata.store(UInt32(clamping: duplicates), at: 32)
    metadata.store(UInt32(clamping: generated), at: 36)
    metadata.store(UInt64(late), at: 40)
    metadata.store(UInt32(clamping: invalid), at: 48)
    metadata.store(UInt32(clamping: interpolated), at: 52)
    metadata.store(unlisted, at: 56)
    metadata.store(timestamp ?? .nan, at: 64)
    metadata.store(UInt32(gaps.count), at: 72)
    metadata.store(UInt32(fieldSums == nil ? 0 : emptyRanges.count + 1), at: 76)
    for (index, count) in malformed.enumerated() { metadata.store(count, at: 80 + 4 * index) }
    metadata.store(firstFrame.map { $0 + 1 } ?? 0, at: 144)
    for (index, gap) in gaps.enumerated() {
      metadata.store(gap.lowerBound, at: Self.fixedByteCount + 16 * index)
      metadata.store(UInt64(gap.count), at: Self.fixedByteCount + 16 * index + 8)
    }
    let end = Self.fixedByteCount + 16 * gaps.count
    guard let fieldSums else { return end }
    metadata.store(fieldSums.darks, at: end)
    metadata.store(fieldSums.flats, at: end + 8)
    metadata.store(UInt64(empty), at: end + 16)
    metadata.store(UInt32(clamping: emptyFlats), at: end + 24)
    metadata.store(UInt32(0), at: end + 28)
    for (index, range) in emptyRanges.enumerated() {
      metadata.store(range.lowerBound, at: end + Self.emptyByteCount + 16 * index)
      metadata.store(UInt64(range.count), at: end + Self.emptyByteCount + 16 * index + 8)
    }
    return end + Self.emptyByteCount + 16 * emptyRanges.count
  }

  /// The number of the image that a ledger lies beside, of which `init(decoding:)` made one.
  package static func frame(in metadata: [UInt8]) -> UInt64 {
    precondition(metadata.count >= fixedByteCount, "a loss ledger of \(metadata.count) B")
    return metadata.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)) }
  }

  /// Reads a ledger back; throws where it contradicts itself.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    self.init()
    guard metadata.count >= Self.fixedByteCount else { throw .malformed("a loss ledger of \(metadata.count) B") }
    let listed = Int(UInt32(littleEndian: metadata.loadUnaligned(fromByteOffset: 72, as: UInt32.self)))
    let ranges = Int(UInt32(littleEndian: metadata.loadUnaligned(fromByteOffset: 76, as: UInt32.self)))
    guard listed <= Self.gapsMax, ranges <= Self.emptyRangesMax + 1 else {
      throw .malformed("a loss ledger of \(listed) gaps and \(ranges) ranges")
    }
    let end = Self.fixedByteCount + 16 * listed
    let fields = try MetadataFields(
      metadata, byteCount: end + (ranges == 0 ? 0 : Self.emptyByteCount + 16 * (ranges - 1)), of: "loss ledger's")
    next = UInt64(try fields.count(at: 8, "next frame"))
    projections = try fields.count(at: 16, "projections")
    (flats, darks) = (Int(fields.u32(at: 24)), Int(fields.u32(at: 28)))
    (duplicates, generated) = (Int(fields.u32(at: 32)), Int(fields.u32(at: 36)))
    late = try fields.count(at: 40, "late frames")
    (invalid, interpolated) = (Int(fields.u32(at: 48)), Int(fields.u32(at: 52)))
    unlisted = UInt64(try fields.count(at: 56, "lost frames"))
    malformed = (0..<Self.malformedMax).map { fields.u32(at: 80 + 4 * $0) }
    let first = UInt64(try fields.count(at: 144, "first frame"))
    firstFrame = first == 0 ? nil : first - 1
    for index in 0..<listed {
      let first = UInt64(try fields.count(at: Self.fixedByteCount + 16 * index, "gap"))
      let count = UInt64(try fields.count(at: Self.fixedByteCount + 16 * index + 8, "gap's frames"))
      guard count > 0, first >= gaps.last?.upperBound ?? 0, first + count <= next else {
        throw .malformed("gaps that overlap")
      }
      gaps.append(first..<first + count)
    }
    if ranges > 0 { try decodeEmpty(fields, at: end, ranges: ranges - 1) }
  }

  private mutating func decodeEmpty(_ fields: MetadataFields, at offset: Int, ranges: Int) throws(EventError) {
    let sums = FieldSums(darks: fields.f64(at: offset), flats: fields.f64(at: offset + 8))
    guard sums.darks.isFinite, sums.flats.isFinite else { throw .malformed("fields of intensities \(sums)") }
    fieldSums = sums
    empty = try fields.count(at: offset + 16, "empty projections")
    emptyFlats = Int(fields.u32(at: offset + 24))
    for index in 0..<ranges {
      let place = offset + Self.emptyByteCount + 16 * index
      let first = UInt64(try fields.count(at: place, "empty projection"))
      let count = UInt64(try fields.count(at: place + 8, "empty projections of a range"))
      guard count > 0, index == 0 || first > emptyRanges[index - 1].upperBound else {
        throw .malformed("ranges of empty projections that overlap")
      }
      emptyRanges.append(first..<first + count)
    }
    guard emptyRanges.reduce(0, { $0 + $1.count }) <= empty else {
      throw .malformed("more than \(empty) empty projections are listed")
    }
  }
}
