/// The part of a region's header that never changes once `ready` is set.
///
///       0  ready            u64
///       8  magic            u32    12  layout        u16    14  whenFull         u16
///      16  runID           16 B
///      32  topic            u32    36  partition     u32
///      40  slotCount        u64    48  payloadCapacity u64
///      56  slotStride       u64    64  regionByteCount u64
///      72  requiredReaders  u32    76  durability (0 memory, 1 journaled) u32
///      80  firstSequence    u64    88  firstChain    u64
///      96  firstEpoch       u64   104  spillSlotCount  u64   112  zeros
///     124  headerCRC32C     u32 (bytes 8 … 123)
enum RingGeometry {
  /// "SLRG" as bytes.
  private static let magic: UInt32 = 0x4752_4C53
  private static let layout: UInt16 = 3
  /// "is ready" as bytes.
  static let ready: UInt64 = 0x7964_6165_7220_7369

  static func words(_ specification: RingSpecification, regionByteCount: Int) -> EventHeader.Words {
    var words = EventHeader.Words(repeating: 0)
    let identity = specification.identity
    words[1] = UInt64(magic) | UInt64(layout) << 32 | UInt64(specification.whenFull.rawValue) << 48
    words[2] = identity.runID.low
    words[3] = identity.runID.high
    words[4] = UInt64(identity.topic) | UInt64(identity.partition) << 32
    words[5] = UInt64(specification.slotCount)
    words[6] = UInt64(specification.payloadCapacity)
    words[7] = UInt64(specification.slotStride)
    words[8] = UInt64(regionByteCount)
    words[9] = UInt64(specification.requiredReaders)
    words[10] = specification.firstSequence
    words[11] = specification.firstChain
    words[12] = specification.firstEpoch
    words[13] = UInt64(specification.spillSlotCount)
    words[15] |= UInt64(checksum(&words)) << 32
    // A ring is made once, and whoever attaches reads these words.
    var copy = words
    copy[0] = ready
    precondition(
      (try? read(&copy, regionByteCount: regionByteCount).get()) == specification,
      "the header of a ring of \(regionByteCount) B does not read back as \(specification)")
    return words
  }

  /// What a private copy of the header's words says, or why it is refused.
  static func read(_ words: inout EventHeader.Words, regionByteCount: Int) -> Result<RingSpecification, Refusal> {
    guard words[0] == ready else { return .failure("it is not ready") }
    guard UInt32(truncatingIfNeeded: words[1]) == magic else { return .failure("it is no ring") }
    guard UInt32(words[15] >> 32) == checksum(&words) else { return .failure("the checksum of its header is wrong") }
    guard UInt16(truncatingIfNeeded: words[1] >> 32) == layout else {
      return .failure("its layout is of another version")
    }
    guard words[9] >> 32 == 0 else { return .failure("it is backed by a journal") }
    guard let whenFull = WhenFull(rawValue: UInt16(words[1] >> 48)),
      let slotCount = Int(exactly: words[5]), let payloadCapacity = Int(exactly: words[6]),
      let spillSlotCount = Int(exactly: words[13])
    else { return .failure("its header holds an impossible value") }
    let specification = RingSpecification(
      runID: RunID(low: words[2], high: words[3]), topic: UInt32(truncatingIfNeeded: words[4]),
      partition: UInt32(words[4] >> 32),
      slotCount: slotCount, payloadCapacity: payloadCapacity, requiredReaders: Int(words[9]), whenFull: whenFull,
      spillSlotCount: spillSlotCount, firstSequence: words[10], firstChain: words[11], firstEpoch: words[12])
    guard let needed = specification.regionByteCount, words[7] == UInt64(specification.slotStride) else {
      return .failure("its header holds an impossible value")
    }
    guard needed == regionByteCount, words[8] == UInt64(needed) else {
      return .failure("it has \(regionByteCount) bytes where its header needs \(needed)")
    }
    return .success(specification)
  }

  struct Refusal: Error, ExpressibleByStringInterpolation {
    let reason: String
    init(stringLiteral value: String) { reason = value }
  }
}
