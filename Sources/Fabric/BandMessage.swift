internal import CLinux
internal import Host
internal import Rings

/// What stands behind the edge's header in a band message.
///
/// ```
///   0  magic "SLBD" u32, layout u16, codec u16       8  firstRow u32, rows u32     16  granule u32, flags u32
///  24  storedByteCount u64     32  plainByteCount u64
///  40  bandCRC32C u32 (metadata, then the stored bytes), uplinkEpoch u32
///  48  interval u16     50  zeros     56  rowsCRC32C u32 (of packed rows as they were, else 0)
///  60  headerCRC32C u32 (of 0 … 59)
/// ```
struct BandHeader: Equatable, Sendable {
  /// Bytes of it.
  static let byteCount = 64
  static let magic: UInt32 = 0x4442_4C53
  static let layout: UInt16 = 1
  static let flagEnd: UInt32 = 1

  /// First of the rows.
  var firstRow: Int
  /// Rows that it carries; 0 for an event without.
  var rows: Int
  /// Which granule.
  var granule: Int
  /// Whether it is the topic's last event.
  var isEnd: Bool
  /// How the rows are written.
  var codec: BandCodec
  /// Bytes of the rows in the message.
  var storedByteCount: Int
  /// Bytes of the rows as they are.
  var byteCount: Int
  /// The checksum of packed rows as they were; 0 of others.
  var rowsCRC32C: UInt32
  /// The incarnation of who published it.
  var uplinkEpoch: UInt32
  /// How far apart updates are from this image on, as the edge has decided it; 0 where all are made.
  var interval: UInt16
}

/// One event, with one granule of its rows, as it travels.
///
/// ```
///   0  the edge's EventHeader, bytes 8 … 127 as they are; 0 … 7 zero
/// 128  BandHeader
/// 192  metadata of the event
///      rows, as they are or packed
/// ```
package struct BandMessage {
  /// Bytes before the metadata.
  package static let headByteCount = EventHeader.byteCount + BandHeader.byteCount
  /// The most bytes of a message: 1 MiB with what the servers count to it.
  package static let byteCountMax = 1 << 20 - 8 << 10

  /// The edge's header: checksum and sizes are those of the whole image.
  let header: EventHeader
  /// What of it is here.
  let band: BandHeader
  /// The whole message.
  private let bytes: UnsafeRawBufferPointer
  /// Where its rows begin.
  private let rowsOffset: Int
  private let owner: FabricMessage?
  /// The rows, once they were unpacked.
  private var unpacked: RowsMemory?

  /// The event's metadata, as the edge wrote it.
  var metadata: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[Self.headByteCount..<rowsOffset])
  }

  /// Bytes of all of it.
  var byteCount: Int { bytes.count }

  /// The rows' bytes in the message.
  var stored: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[rowsOffset...]) }

  /// The rows' bytes; packed ones are there once `unpack` was called.
  var payload: UnsafeRawBufferPointer {
    guard band.codec != .none else { return stored }
    guard let unpacked else { preconditionFailure("rows of event \(header.sequence) before they were unpacked") }
    return UnsafeRawBufferPointer(rebasing: unpacked.bytes[..<band.byteCount])
  }

  /// Why bytes are no message of a granule.
  enum Fault: String, Error, Sendable, CaseIterable {
    /// Too short, too long, or not as long as it says.
    case length
    /// The edge's header is not one.
    case header
    /// It belongs to another run, topic or granule, or the rows are not the granule's.
    case identity
    /// A value without a meaning.
    case value
    /// The checksum of the band's header, or of metadata and rows.
    case checksum
    /// Packed rows do not unpack to what they were.
    case packing
  }

  /// Reads a message of `granule`, which must hold all of its rows. The bytes are checked once and used in place: they
  /// are this process's own, and live as long as `owner`, or the caller's buffer. What packed rows unpack to is checked
  /// by `unpack`.
  init(
    _ bytes: UnsafeRawBufferPointer, of topic: FabricTopic, granule: Int, in granules: Granules, owner: FabricMessage?,
    rules: FabricRules = FabricRules()
  ) throws(Fault) {
    guard (Self.headByteCount...Self.byteCountMax).contains(bytes.count) else { throw .length }
    do { header = try EventHeader(validating: bytes) } catch { throw .header }
    let band = UnsafeRawBufferPointer(rebasing: bytes[EventHeader.byteCount..<Self.headByteCount])
    try Self.checkHead(band)
    func u32(_ offset: Int) -> Int {
      Int(UInt32(littleEndian: band.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    guard header.identity == topic.identity, u32(16) == granule else { throw .identity }
    guard let codec = BandCodec(rawValue: band.loadUnaligned(fromByteOffset: 6, as: UInt16.self)),
      let stored = Int(exactly: band.loadUnaligned(fromByteOffset: 24, as: UInt64.self)),
      let plain = Int(exactly: band.loadUnaligned(fromByteOffset: 32, as: UInt64.self)),
      codec.allows(stored: stored, plain: plain), codec != .none || u32(56) == 0, u32(20) <= 1
    else { throw .value }
    let isEnd = u32(20) == Int(BandHeader.flagEnd)
    self.band = BandHeader(
      firstRow: u32(8), rows: u32(12), granule: granule, isEnd: isEnd, codec: codec, storedByteCount: stored,
      byteCount: plain, rowsCRC32C: UInt32(u32(56)), uplinkEpoch: UInt32(u32(44)),
      interval: UInt16(littleEndian: band.loadUnaligned(fromByteOffset: 48, as: UInt16.self)))
    // Rows that would not fit into a message as they are were never packed: who unpacks needs no more room than that.
    guard stored <= bytes.count - Self.headByteCount, plain <= Self.byteCountMax - Self.headByteCount else {
      throw .length
    }
    (self.bytes, self.owner, rowsOffset) = (bytes, owner, bytes.count - stored)
    let metadataByteCount = rowsOffset - Self.headByteCount
    // The uplink may write more beside an end than the edge's journal has there.
    guard metadataByteCount <= EventHeader.metadataCapacity, isEnd || metadataByteCount == header.metadataByteCount
    else { throw .length }
    try checkRows(granules)
    guard rules.checksBands else { return }
    let content = UnsafeRawBufferPointer(rebasing: bytes[Self.headByteCount...])
    guard clinux_crc32c(0, content.baseAddress, content.count) == UInt32(u32(40)) else { throw .checksum }
  }

  /// The fields of a band's header that are the same in all.
  private static func checkHead(_ band: UnsafeRawBufferPointer) throws(Fault) {
    let sum = UInt32(littleEndian: band.loadUnaligned(fromByteOffset: 60, as: UInt32.self))
    guard clinux_crc32c(0, band.baseAddress, 60) == sum else { throw .checksum }
    guard band.loadUnaligned(fromByteOffset: 0, as: UInt32.self) == BandHeader.magic,
      band.loadUnaligned(fromByteOffset: 4, as: UInt16.self) == BandHeader.layout,
      band[50..<56].allSatisfy({ $0 == 0 })
    else { throw .value }
  }

  /// The incarnation that a message names; nil where it is too short to name one.
  static func epoch(of bytes: [UInt8]) -> UInt32? {
    guard bytes.count >= headByteCount else { return nil }
    return bytes.withUnsafeBytes {
      UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: EventHeader.byteCount + 44, as: UInt32.self))
    }
  }

  private func checkRows(_ granules: Granules) throws(Fault) {
    switch header.kind {
    case .projection, .flat, .dark:
      guard let pixel = header.pixel, !band.isEnd, Int(header.rows) == granules.rows else { throw .identity }
      let rows = granules[band.granule]
      guard band.firstRow == rows.lowerBound, band.rows == rows.count else { throw .identity }
      let rowByteCount = Int(header.columns) * pixel.byteCount
      guard rowByteCount > 0, band.byteCount == rows.count * rowByteCount,
        header.payloadByteCount == granules.rows * rowByteCount
      else { throw .length }
    case .end:
      guard band.isEnd, band.byteCount == 0, band.rows == 0, band.firstRow == 0, band.interval == 0 else {
        throw .value
      }
    default: throw .value
    }
  }

  /// Unpacks packed rows, into `memory` where it is given and large enough; gives the memory that they are in, nil
  /// where there was nothing to unpack.
  @discardableResult
  mutating func unpack(
    into memory: RowsMemory? = nil, rules: FabricRules = FabricRules()
  ) throws(Fault) -> RowsMemory? {
    guard band.codec != .none, unpacked == nil else { return nil }
    guard let pixel = header.pixel else { throw .packing }
    let memory = memory.flatMap { $0.bytes.count >= band.byteCount ? $0 : nil } ?? RowsMemory(band.byteCount)
    let rows = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<band.byteCount])
    guard band.codec.unpack(stored, elementByteCount: pixel.byteCount, into: rows),
      !rules.checksRows || clinux_crc32c(0, rows.baseAddress, rows.count) == band.rowsCRC32C
    else { throw .packing }
    unpacked = memory
    return memory
  }

  /// Writes the message of a granule of `event` into `buffer`, whose first bytes it gives back. `metadata` stands in
  /// place of the event's own, and `interval` says how far apart updates are from it on. With `packs` its rows are
  /// packed where that makes them smaller.
  static func encode(
    _ event: Event, metadata: [UInt8]?, interval: UInt16 = 0, granule: Int, in granules: Granules, epoch: UInt32,
    packs: Bool = false,
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(FabricError) -> UnsafeRawBufferPointer {
    precondition(
      metadata != nil || event.metadata.count == event.header.metadataByteCount,
      "event \(event.header.sequence) comes without its metadata")
    let rows = try rowBytes(event, granules[granule], of: granules)
    let metadataByteCount = metadata?.count ?? event.metadata.count
    let rowsOffset = headByteCount + metadataByteCount, byteCountMost = rowsOffset + rows.count
    guard byteCountMost <= buffer.count, metadataByteCount <= EventHeader.metadataCapacity else {
      throw .refused(what: "event \(event.header.sequence)", reason: "its message would have \(byteCountMost) B")
    }
    event.header.encode(into: buffer)
    let place = UnsafeMutableRawBufferPointer(rebasing: buffer[headByteCount..<rowsOffset])
    if let metadata { place.copyBytes(from: metadata) } else { place.copyMemory(from: event.metadata) }
    let (codec, stored) = BandCodec.write(
      rows, elementByteCount: packs ? event.header.pixel?.byteCount : nil,
      into: UnsafeMutableRawBufferPointer(rebasing: buffer[rowsOffset..<byteCountMost]))
    let content = UnsafeRawBufferPointer(rebasing: buffer[headByteCount..<rowsOffset + stored])
    let band = UnsafeMutableRawBufferPointer(rebasing: buffer[EventHeader.byteCount..<headByteCount])
    _ = band.initializeMemory(as: UInt8.self, repeating: 0)
    func store(_ value: UInt32, at offset: Int) {
      band.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }
    store(BandHeader.magic, at: 0)
    store(UInt32(BandHeader.layout) | UInt32(codec.rawValue) << 16, at: 4)
    store(rows.isEmpty ? 0 : UInt32(granules[granule].lowerBound), at: 8)
    store(rows.isEmpty ? 0 : UInt32(granules[granule].count), at: 12)
    store(UInt32(granule), at: 16)
    store(event.header.kind == .end ? BandHeader.flagEnd : 0, at: 20)
    band.storeBytes(of: UInt64(stored), toByteOffset: 24, as: UInt64.self)
    band.storeBytes(of: UInt64(rows.count), toByteOffset: 32, as: UInt64.self)
    store(clinux_crc32c(0, content.baseAddress, content.count), at: 40)
    store(epoch, at: 44)
    store(UInt32(interval), at: 48)
    if codec != .none { store(clinux_crc32c(0, rows.baseAddress, rows.count), at: 56) }
    store(clinux_crc32c(0, band.baseAddress, 60), at: 60)
    return UnsafeRawBufferPointer(rebasing: buffer[..<(rowsOffset + stored)])
  }

  /// The bytes of some rows of an image; none for an event without.
  private static func rowBytes(
    _ event: Event, _ rows: Range<Int>, of granules: Granules
  ) throws(FabricError) -> UnsafeRawBufferPointer {
    guard event.header.rows > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let rowByteCount = Int(event.header.columns) * (event.header.pixel?.byteCount ?? 0)
    guard Int(event.header.rows) == granules.rows, rowByteCount > 0,
      event.payload.count == granules.rows * rowByteCount
    else {
      throw .damaged(
        what: "event \(event.header.sequence)",
        reason: "it has \(event.header.rows) rows in \(event.payload.count) B, the granules are of \(granules.rows)")
    }
    return UnsafeRawBufferPointer(
      rebasing: event.payload[rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount])
  }
}
