internal import CLinux
package import Host

/// The first 128 bytes of a slot or a record: what an event is, apart from its bytes.
///
/// All numbers are little-endian. The stamp belongs to the slot in memory and is not part of this value.
///
///       0  stamp                                u64
///       8  magic                u32    12  layout            u16    14  kind         u16
///      16  sequence             u64    24  epoch             u64
///      32  runID               16 B
///      48  topic                u32    52  partition         u32
///      56  acquiredAt           u64    64  durableThrough    u64
///      72  chain                u64    80  payloadByteCount  u64
///      88  payloadCRC32C        u32    92  metadataByteCount u32
///      96  theta                f64   104  projection        u64
///     112  rows                 u32   116  columns           u32
///     120  pixel type           u16   122  interval          u16   124  headerCRC32C u32 (bytes 8 … 123)
package struct EventHeader: Hashable, Sendable {
  /// The bytes of a header with its stamp.
  package static let byteCount = 128
  /// The bytes of the page that the header and the metadata share.
  package static let pageByteCount = 4096
  /// The most bytes of metadata.
  package static let metadataCapacity = pageByteCount - byteCount
  /// "SLEV" as bytes.
  static let magic: UInt32 = 0x5645_4C53
  static let layout: UInt16 = 2

  /// What the event says.
  package var kind: EventKind
  /// Whose event it is.
  package var identity: RingIdentity
  /// Its number in (topic, partition): dense, and going on across epochs.
  package var sequence: UInt64
  /// The incarnation of the writer.
  package var epoch: UInt64
  /// Nanoseconds since 1970 when the event's cause was acquired.
  package var acquiredAt: UInt64
  /// In a journaled topic, what the writer knew to be durable when it wrote this; 0 in a memory topic.
  package var durableThrough: UInt64
  /// A hash of all headers and payloads before this one (`chainAfter`); 0 in a topic's first event.
  package var chain: UInt64
  /// Bytes of payload.
  package var payloadByteCount: Int
  /// Bytes of metadata, at most `metadataCapacity`.
  package var metadataByteCount: Int
  /// CRC32C of the metadata followed by the payload, or by the checksums of its bands (`EventBands`).
  package var payloadCRC32C: UInt32
  /// The angle in radians.
  package var theta: Double
  /// The number of the projection in the scan.
  package var projection: UInt64
  /// Rows of the payload's images.
  package var rows: UInt32
  /// Columns of the payload's images.
  package var columns: UInt32
  /// The type of the payload's pixels; nil for an event without.
  package var pixel: PixelType?
  /// Of an image, how far apart updates are from it on, where somebody else has decided that; 0 of any other event.
  package var interval: UInt16

  /// A header as given.
  package init(
    kind: EventKind, identity: RingIdentity, sequence: UInt64, epoch: UInt64 = 0, acquiredAt: UInt64 = 0,
    durableThrough: UInt64 = 0,
    chain: UInt64 = 0, payloadByteCount: Int = 0, metadataByteCount: Int = 0, payloadCRC32C: UInt32 = 0,
    theta: Double = 0,
    projection: UInt64 = 0, rows: UInt32 = 0, columns: UInt32 = 0, pixel: PixelType? = nil, interval: UInt16 = 0
  ) {
    self.kind = kind
    self.identity = identity
    self.sequence = sequence
    self.epoch = epoch
    self.acquiredAt = acquiredAt
    self.durableThrough = durableThrough
    self.chain = chain
    self.payloadByteCount = payloadByteCount
    self.metadataByteCount = metadataByteCount
    self.payloadCRC32C = payloadCRC32C
    self.theta = theta
    self.projection = projection
    self.rows = rows
    self.columns = columns
    self.pixel = pixel
    self.interval = interval
  }

  /// Why bytes are not an event's header.
  package enum Fault: String, Error, Sendable, CustomStringConvertible {
    /// The magic number differs.
    case magic = "it is no event header"
    /// The layout is of another version of Slipring.
    case layout = "its layout is of another version"
    /// The checksum differs.
    case checksum = "its checksum is wrong"
    /// A kind or a pixel type is unknown, or what is no image has an interval.
    case value = "it holds a value without a meaning"
    /// A size exceeds its limit, or rows × columns exceed the payload.
    case size = "it holds an impossible size"

    /// What is wrong.
    package var description: String { rawValue }
  }
}

// The chain and the header as 16 words.
extension EventHeader {
  /// Sixteen little-endian words, the first of them the stamp's place.
  package typealias Words = InlineArray<16, UInt64>

  /// Writes the header with its checksum into the first 128 bytes of `bytes`, the stamp's eight as zeros.
  package func encode(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count >= Self.byteCount, "\(bytes.count) bytes for a header of \(Self.byteCount)")
    let words = self.words
    for index in 0..<16 { bytes.storeBytes(of: words[index], toByteOffset: 8 * index, as: UInt64.self) }
  }

  /// Reads a header from the first 128 bytes of `bytes`, which nobody else may be changing. The stamp's bytes are
  /// ignored.
  package init(validating bytes: UnsafeRawBufferPointer) throws(Fault) {
    precondition(bytes.count >= Self.byteCount, "\(bytes.count) bytes for a header of \(Self.byteCount)")
    var words = Words(repeating: 0)
    for index in 0..<16 { words[index] = bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
    try self.init(validating: &words)
  }

  /// The chain of the next event: SplitMix64's finaliser (Steele, Lea and Flood, 2014) over this event's chain and both
  /// checksums.
  package var chainAfter: UInt64 {
    Self.chain(after: chain, headerCRC32C: UInt32(words[15] >> 32), payloadCRC32C: payloadCRC32C)
  }

  static func chain(after chain: UInt64, headerCRC32C: UInt32, payloadCRC32C: UInt32) -> UInt64 {
    var hash = (chain ^ (UInt64(headerCRC32C) << 32 | UInt64(payloadCRC32C))) &+ 0x9E37_79B9_7F4A_7C15
    hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
    return hash ^ hash >> 31
  }

  @inline(__always)
  var words: Words {
    var words = Words(repeating: 0)
    words[1] = UInt64(Self.magic) | UInt64(Self.layout) << 32 | UInt64(kind.rawValue) << 48
    words[2] = sequence
    words[3] = epoch
    words[4] = identity.runID.low
    words[5] = identity.runID.high
    words[6] = UInt64(identity.topic) | UInt64(identity.partition) << 32
    words[7] = acquiredAt
    words[8] = durableThrough
    words[9] = chain
    words[10] = UInt64(payloadByteCount)
    words[11] = UInt64(payloadCRC32C) | UInt64(metadataByteCount) << 32
    words[12] = theta.bitPattern
    words[13] = projection
    words[14] = UInt64(rows) | UInt64(columns) << 32
    words[15] = UInt64(pixel?.code ?? 0) | UInt64(interval) << 16
    words[15] |= UInt64(checksum(&words)) << 32
    return words
  }

  init(validating words: inout Words) throws(Fault) {
    guard UInt32(truncatingIfNeeded: words[1]) == Self.magic else { throw .magic }
    guard UInt32(words[15] >> 32) == checksum(&words) else { throw .checksum }
    guard UInt16(truncatingIfNeeded: words[1] >> 32) == Self.layout else { throw .layout }
    let interval = UInt16(truncatingIfNeeded: words[15] >> 16)
    guard let kind = EventKind(rawValue: UInt16(words[1] >> 48)), interval == 0 || kind.isImage else { throw .value }
    let code = UInt16(truncatingIfNeeded: words[15])
    let pixel = PixelType(code: code)
    guard code == 0 || pixel != nil else { throw .value }
    guard let payloadByteCount = Int(exactly: words[10]), words[11] >> 32 <= UInt64(Self.metadataCapacity) else {
      throw .size
    }
    let pixelCount = UInt64(UInt32(truncatingIfNeeded: words[14])).multipliedFullWidth(by: words[14] >> 32)
    let needed = pixelCount.low.multipliedReportingOverflow(by: UInt64(pixel?.byteCount ?? 0))
    guard !needed.overflow, needed.partialValue <= words[10] else { throw .size }
    self.kind = kind
    sequence = words[2]
    epoch = words[3]
    identity = RingIdentity(
      runID: RunID(low: words[4], high: words[5]),
      topic: UInt32(truncatingIfNeeded: words[6]), partition: UInt32(words[6] >> 32))
    acquiredAt = words[7]
    durableThrough = words[8]
    chain = words[9]
    self.payloadByteCount = payloadByteCount
    payloadCRC32C = UInt32(truncatingIfNeeded: words[11])
    metadataByteCount = Int(words[11] >> 32)
    theta = Double(bitPattern: words[12])
    projection = words[13]
    rows = UInt32(truncatingIfNeeded: words[14])
    columns = UInt32(words[14] >> 32)
    self.pixel = pixel
    self.interval = interval
  }
}

/// CRC32C of bytes 8 … 123 of sixteen words: where the header of an event and that of a region keep what their checksum
/// covers. (Passed in place, because a copy costs as much as the checksum.)
package func checksum(_ words: inout EventHeader.Words) -> UInt32 {
  withUnsafeBytes(of: &words) { clinux_crc32c(0, $0.baseAddress.map { $0 + 8 }, 116) }
}

#if !_endian(little)
  #error("the layouts of rings and records are little-endian")
#endif
