internal import CLinux
internal import Host

/// The bands of rows that an image is checksummed in, each by itself, so that who needs some rows reads and checks
/// these alone. What is behind the rows belongs to the last band. An event without rows has none.
///
///       0 ┌──────────────────────────────────────────┐
///         │ header, 128 B                            │  payloadCRC32C: of the metadata, then of the n checksums
///     128 │ metadata, ≤ 3968 − 4 n B                 │  (of an event without rows: then of the payload)
///         │ …                                        │
/// 4096−4n │ n checksums u32: CRC32C of each band     │
///    4096 ├──────────────────────────────────────────┤
///         │ band 0: 64 rows                          │  more rows where there were more than 128 bands otherwise
///         │ …                                        │
///         │ band n − 1: the remaining rows           │
///         └──────────────────────────────────────────┘
package struct EventBands: Equatable, Sendable {
  /// Rows of each band but the last.
  package let rows: Int
  /// Bands, at most 128.
  package let count: Int
  private let rowByteCount: Int
  private let payloadByteCount: Int

  /// Rows of a band, unless there are too many of them: the slices that are computed together.
  package static let rowsMin = 64
  private static let countMax = 128

  /// The bands of an image; nil where there are no rows.
  init?(rows: Int, rowByteCount: Int, payloadByteCount: Int) {
    guard rows > 0, rowByteCount > 0 else { return nil }
    let (byteCount, overflows) = rows.multipliedReportingOverflow(by: rowByteCount)
    precondition(
      !overflows && byteCount <= payloadByteCount, "\(rows) rows of \(rowByteCount) B in \(payloadByteCount) B")
    let most = Self.rowsMin * Self.countMax
    self.rows = Self.rowsMin * max(1, (rows + most - 1) / most)
    count = (rows + self.rows - 1) / self.rows
    (self.rowByteCount, self.payloadByteCount) = (rowByteCount, payloadByteCount)
  }

  /// Where the checksums begin in a slot or a record.
  package var tableOffset: Int { EventHeader.pageByteCount - 4 * count }

  /// The bands that hold some rows.
  package func bands(ofRows wanted: Range<Int>) -> Range<Int> {
    precondition(!wanted.isEmpty && wanted.lowerBound >= 0, "no rows: \(wanted)")
    return wanted.lowerBound / rows..<min((wanted.upperBound + rows - 1) / rows, count)
  }

  /// The bytes of a band in the payload.
  package func bytes(ofBand band: Int) -> Range<Int> {
    precondition((0..<count).contains(band), "band \(band) of \(count)")
    let first = band * rows * rowByteCount
    return first..<(band == count - 1 ? payloadByteCount : first + rows * rowByteCount)
  }

  /// Whether some bands, and the table of the checksums of all in the image's page, are as they were written.
  func areIntact(
    _ bands: Range<Int>, of header: EventHeader, page: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer
  ) -> Bool {
    precondition(payload.count == payloadByteCount, "\(payload.count) B of payload, \(payloadByteCount) in bands")
    guard tableOffset >= EventHeader.byteCount + header.metadataByteCount, let start = page.baseAddress else {
      return false
    }
    let content = clinux_crc32c(0, start + EventHeader.byteCount, header.metadataByteCount)
    guard clinux_crc32c(content, start + tableOffset, 4 * count) == header.payloadCRC32C else { return false }
    return bands.allSatisfy { band in
      let bytes = UnsafeRawBufferPointer(rebasing: payload[bytes(ofBand: band)])
      let listed = page.loadUnaligned(fromByteOffset: tableOffset + 4 * band, as: UInt32.self)
      return clinux_crc32c(0, bytes.baseAddress, bytes.count) == UInt32(littleEndian: listed)
    }
  }
}

extension EventHeader {
  /// The bands of the event's image; nil for an event without rows.
  package var bands: EventBands? {
    EventBands(
      rows: Int(rows), rowByteCount: Int(columns) * (pixel?.byteCount ?? 0), payloadByteCount: payloadByteCount)
  }
}

/// The checksum of an event's content (`payloadCRC32C`), of a payload that comes in pieces.
package struct ContentChecksum {
  private let bands: EventBands?
  private var content: UInt32
  private var band: UInt32 = 0
  /// The band that the next byte belongs to, and how many of its bytes are still to come.
  private var (number, left) = (0, 0)

  /// Begins with the metadata.
  package init(_ bands: EventBands?, metadata: UnsafeRawBufferPointer) {
    self.bands = bands
    content = clinux_crc32c(0, metadata.baseAddress, metadata.count)
    left = bands?.bytes(ofBand: 0).count ?? 0
  }

  /// Adds the next piece of the payload; `ended` hears of each band that it completes, and of its checksum.
  @inline(__always)
  package mutating func add(_ payload: UnsafeRawBufferPointer, ended: (Int, UInt32) -> Void = { _, _ in }) {
    guard let bands else {
      content = clinux_crc32c(content, payload.baseAddress, payload.count)
      return
    }
    var rest = payload
    while !rest.isEmpty {
      precondition(number < bands.count, "\(rest.count) B behind the last of \(bands.count) bands")
      let count = min(rest.count, left)
      band = clinux_crc32c(band, rest.baseAddress, count)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      left -= count
      guard left == 0 else { continue }
      ended(number, band)
      withUnsafeBytes(of: band.littleEndian) { content = clinux_crc32c(content, $0.baseAddress, $0.count) }
      (number, band) = (number + 1, 0)
      if number < bands.count { left = bands.bytes(ofBand: number).count }
    }
  }

  /// The checksum of all that was added.
  package var value: UInt32 { content }
}

/// The checksums of an image's bands, checked against its header.
package struct BandTable: Sendable {
  /// The image's header.
  package let header: EventHeader
  /// The bands.
  package let bands: EventBands
  private let checksums: [UInt32]

  /// Reads the checksums from a page whose header is `header`; nil for an event without rows, and where metadata and
  /// checksums are not what the header says.
  package init?(_ header: EventHeader, page: UnsafeRawBufferPointer) {
    precondition(page.count >= EventHeader.pageByteCount, "a page of \(page.count) B")
    guard let bands = header.bands, bands.tableOffset >= EventHeader.byteCount + header.metadataByteCount else {
      return nil
    }
    let metadata = page[EventHeader.byteCount..<EventHeader.byteCount + header.metadataByteCount]
    let content = clinux_crc32c(0, UnsafeRawBufferPointer(rebasing: metadata).baseAddress, metadata.count)
    let checksums = (0..<bands.count).map {
      UInt32(littleEndian: page.loadUnaligned(fromByteOffset: bands.tableOffset + 4 * $0, as: UInt32.self))
    }
    let value = checksums.withUnsafeBytes { clinux_crc32c(content, $0.baseAddress, $0.count) }
    guard value == header.payloadCRC32C else { return nil }
    (self.header, self.bands, self.checksums) = (header, bands, checksums)
  }

  /// Whether a band's bytes are as they were written.
  package func isIntact(_ band: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    precondition(bytes.count == bands.bytes(ofBand: band).count, "\(bytes.count) B for band \(band)")
    return clinux_crc32c(0, bytes.baseAddress, bytes.count) == checksums[band]
  }
}

/// The checksum of all of an event's content, compared with nothing; nil where the checksums of its bands, which lie in
/// its page, are not those of its payload.
package func contentChecksum(
  of header: EventHeader, page: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer
) -> UInt32? {
  let bands = header.bands, metadataEnd = EventHeader.byteCount + header.metadataByteCount
  guard bands?.tableOffset ?? metadataEnd >= metadataEnd else { return nil }
  var checksum = ContentChecksum(
    bands, metadata: UnsafeRawBufferPointer(rebasing: page[EventHeader.byteCount..<metadataEnd]))
  var isListed = true
  checksum.add(payload) { band, value in
    let offset = (bands?.tableOffset ?? 0) + 4 * band
    isListed = isListed && UInt32(littleEndian: page.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) == value
  }
  return isListed ? checksum.value : nil
}
