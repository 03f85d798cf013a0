package import Rings

// Some rows of an image, without the others: an image is checksummed in bands of rows (`EventBands`).
//
//     record   0        4096 ┄┄┄ band 3 ┄┄┄┄┄ band 4 ┄┄┄┄┄ band 5 ┄┄┄ stride
//              ├ page ──┤        ├─ what is read, whole pages ─┤
extension JournalReader {
  /// Reads the page of record `sequence` to its place in `buffer` (a record's bytes at a multiple of 4096) and checks
  /// it: the header, the metadata, and the checksums of the bands. Nil for an event without rows; otherwise as `read`.
  package func readTable(
    sequence: UInt64, into buffer: UnsafeMutableRawBufferPointer, durableThrough: UInt64 = 0
  ) throws(JournalError) -> BandTable? {
    let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<EventHeader.pageByteCount])
    let header = try readHeader(sequence: sequence, into: page, durableThrough: durableThrough)
    guard header.bands != nil else { return nil }
    for attempt in 0..<attemptLimit {
      if attempt > 0 {
        guard
          try readPart(sequence, 0..<EventHeader.pageByteCount, into: page, attempt: attempt, durableThrough)
        else { continue }
      }
      if let table = BandTable(header, page: UnsafeRawBufferPointer(page)) { return table }
    }
    throw .damaged(folder: folder, sequence: sequence, finding: .payload)
  }

  /// Reads the bands of a record to their place in `buffer` (a record's bytes at a multiple of 4096), whole pages, and
  /// checks them.
  package func readBands(
    _ bands: Range<Int>, _ table: BandTable, into buffer: UnsafeMutableRawBufferPointer, durableThrough: UInt64 = 0
  ) throws(JournalError) {
    precondition(buffer.count >= stride, "a buffer of \(buffer.count) B for records of \(stride) B")
    let sequence = table.header.sequence, pages = table.pages(ofBands: bands)
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[pages])
    for attempt in 0..<attemptLimit {
      guard try readPart(sequence, pages, into: target, attempt: attempt, durableThrough) else { continue }
      if table.areIntact(bands, in: UnsafeRawBufferPointer(buffer)) { return }
    }
    throw .damaged(folder: folder, sequence: sequence, finding: .payload)
  }
}

extension BandTable {
  /// The pages of a record or slot that hold some bands.
  package func pages(ofBands wanted: Range<Int>) -> Range<Int> {
    precondition(!wanted.isEmpty, "no bands")
    let first = EventHeader.pageByteCount + bands.bytes(ofBand: wanted.lowerBound).lowerBound
    let end = EventHeader.pageByteCount + bands.bytes(ofBand: wanted.upperBound - 1).upperBound
    return first / 4096 * 4096..<(end + 4095) / 4096 * 4096
  }

  /// Whether some bands are as they were written, each at its place in a record or slot.
  package func areIntact(_ wanted: Range<Int>, in record: UnsafeRawBufferPointer) -> Bool {
    wanted.allSatisfy { band in
      let bytes = bands.bytes(ofBand: band)
      let place = EventHeader.pageByteCount + bytes.lowerBound..<EventHeader.pageByteCount + bytes.upperBound
      return isIntact(band, UnsafeRawBufferPointer(rebasing: record[place]))
    }
  }
}
