import Host
import Rings
import Testing

/// Images are checksummed in bands of rows.
@Suite struct EventBandsTests {
  private func header(rows: Int, columns: Int, extra: Int = 0, metadata: Int = 0) -> EventHeader {
    EventHeader(
      kind: .projection, identity: RingIdentity(runID: RunID(low: 1, high: 2), topic: 3, partition: 0), sequence: 0,
      payloadByteCount: rows * columns * 2 + extra, metadataByteCount: metadata, rows: UInt32(rows),
      columns: UInt32(columns), pixel: .uint16)
  }

  @Test(arguments: [1, 63, 64, 65, 200, 8192, 8193, 60_000], [0, 5])
  func `bands cover every byte of a payload once, and their checksums fit behind the metadata`(rows: Int, extra: Int)
    throws
  {
    let bands = try #require(header(rows: rows, columns: 3, extra: extra).bands)
    #expect(bands.rows >= 64 && bands.count <= 128 && bands.count == (rows + bands.rows - 1) / bands.rows)
    var end = 0
    for band in 0..<bands.count {
      let bytes = bands.bytes(ofBand: band)
      #expect(bytes.lowerBound == end && !bytes.isEmpty)
      end = bytes.upperBound
    }
    #expect(end == rows * 6 + extra)
    #expect(bands.tableOffset >= EventHeader.byteCount + 3352, "a ledger of all gaps has no room")
    #expect(bands.bands(ofRows: 0..<1) == 0..<1)
    #expect(bands.bands(ofRows: rows - 1..<rows) == bands.count - 1..<bands.count)
    #expect(bands.bands(ofRows: 0..<rows) == 0..<bands.count)
  }

  @Test func `an event without rows has no bands`() {
    #expect(header(rows: 0, columns: 3).bands == nil && header(rows: 3, columns: 0).bands == nil)
  }

  /// A page and a payload as a ring's writer leaves them.
  private func written(rows: Int, columns: Int, _ ring: TemporaryRing) throws -> (page: [UInt8], payload: [UInt8]) {
    let writer = try ring.writer()
    let claim = try writer.claim(timeout: .zero), count = rows * columns * 2
    var random = SplitMix64(seed: 7)
    for offset in 0..<count { claim.payload[offset] = UInt8(truncatingIfNeeded: random.next() as UInt64) }
    for offset in 0..<40 { claim.metadata[offset] = UInt8(offset) }
    try writer.commit(
      claim,
      EventFields(
        kind: .projection, payloadByteCount: count, metadataByteCount: 40, rows: rows, columns: columns,
        pixel: .uint16))
    let region = try SharedRegion.attach(name: ring.name)
    let slot = UnsafeRawBufferPointer(start: region.base + 8192, count: 4096 + count)
    return withExtendedLifetime(region) { (Array(slot[..<4096]), Array(slot[4096...])) }
  }

  @Test func `a band is checked by itself, and every flipped bit of it, of the metadata and of the table is found`()
    throws
  {
    let ring = try TemporaryRing(payloadCapacity: 130 * 4 * 2)
    var (page, payload) = try written(rows: 130, columns: 4, ring)
    let header = try page.withUnsafeBytes { try EventHeader(validating: $0) }
    let table = try #require(page.withUnsafeBytes { BandTable(header, page: $0) })
    #expect(table.bands.count == 3)
    func isIntact(_ band: Int) -> Bool {
      payload.withUnsafeBytes {
        table.isIntact(band, UnsafeRawBufferPointer(rebasing: $0[table.bands.bytes(ofBand: band)]))
      }
    }
    func checksum() -> UInt32? {
      page.withUnsafeBytes { page in payload.withUnsafeBytes { contentChecksum(of: header, page: page, payload: $0) } }
    }
    #expect((0..<3).allSatisfy(isIntact) && checksum() == header.payloadCRC32C)
    for byte in [0, 511, 512, 1023, 1024, 1039] {
      payload[byte] ^= 1 << (byte % 8)
      for band in 0..<3 { #expect(isIntact(band) != table.bands.bytes(ofBand: band).contains(byte), "byte \(byte)") }
      #expect(checksum() != header.payloadCRC32C)
      payload[byte] ^= 1 << (byte % 8)
    }
    for bit in Array(8 * 128..<8 * 168) + Array(8 * table.bands.tableOffset..<8 * 4096) {
      page[bit / 8] ^= 1 << (bit % 8)
      #expect(page.withUnsafeBytes { BandTable(header, page: $0) } == nil, "bit \(bit)")
      #expect(checksum() != header.payloadCRC32C, "bit \(bit)")
      page[bit / 8] ^= 1 << (bit % 8)
    }
  }

  @Test func `what is left of a slot below the lease is copied until it is filled anew`() throws {
    let ring = try TemporaryRing(payloadCapacity: 64)
    let writer = try ring.writer()
    let reader = try RingReader(ring: ring.ring, reader: 0)
    try writer.append(1)
    _ = try #require(try reader.next(timeout: .zero))
    try reader.release(upTo: 1)
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { page.deallocate() }
    #expect(reader.copySlot(of: 0, 0..<4096, into: page))
    #expect(reader.header(in: UnsafeRawBufferPointer(page), of: 0)?.sequence == 0)
    #expect(reader.header(in: UnsafeRawBufferPointer(page), of: 1) == nil)
    for value in 1..<UInt64(1 + ring.ring.specification.slotCount) {
      try writer.append(value + 1)
      try reader.release(upTo: value + 1)
    }
    #expect(!reader.copySlot(of: 0, 0..<4096, into: page))
  }
}
