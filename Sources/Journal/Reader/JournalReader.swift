internal import Host
package import Rings

/// Reads records of a journal by their sequence, also while a writer adds to it. Use from one thread at a time.
///
/// A journal does not say what of it was acknowledged: read what a ring has published, a checkpoint names, or recovery
/// has found.
package final class JournalReader {
  /// A record in the caller's memory: checked.
  package struct Record {
    /// What the event is.
    package let header: EventHeader
    /// The metadata.
    package let metadata: UnsafeRawBufferPointer
    /// The payload.
    package let payload: UnsafeRawBufferPointer
  }

  /// The most files of the journal that a reader has open, however many there are.
  package static var descriptorsMax: Int { SegmentFiles.openLimit }

  /// Bytes from record to record.
  package let stride: Int
  private let device: any JournalDevice
  private let source: RecordSource
  private var catalog: SegmentCatalog?
  /// Sequences below it are where the catalog says, for good: something that was read says that they were durable by
  /// then.
  private var settledThrough: UInt64 = 0
  /// The chain of the record after the last one that was read, and its least epoch.
  private var expected: (sequence: UInt64, chain: UInt64, epoch: UInt64)?
  /// Many small records, read at once, where all of them are known to be durable; none where records are large.
  private let batch: AlignedMemory?
  private var batched: (name: String, range: Range<UInt64>)?

  /// Bytes that are read at once, of records up to this stride: more take longer for a byte.
  private static let (batchByteCount, batchedStride) = (256 << 10, 64 << 10)

  /// A reader of the journal in the device's folder, which need not hold a segment yet.
  package init(device: any JournalDevice, identity: RingIdentity, stride: Int) {
    self.device = device
    self.stride = stride
    source = RecordSource(device: device, identity: identity, stride: stride, rules: JournalRules())
    batch = stride <= Self.batchedStride ? AlignedMemory(byteCount: Self.batchByteCount) : nil
  }

  /// Looks at the folder anew, and returns the ranges of sequences that it has records for, in their order: between
  /// them are losses. The end of the last range is where records stop being whole, found by their headers; it may be
  /// beyond what is durable.
  package func sequences() throws(JournalError) -> [Range<UInt64>] {
    let catalog = try refresh()
    var scan = JournalScan(source, catalog, depth: .tail, floor: 0)
    try scan.run()
    var ranges: [Range<UInt64>] = []
    var start = scan.first
    let gaps =
      catalog.losses.filter { $0.first < $0.end }.map { $0.first..<$0.end }
      + scan.damages.map { $0.lowerBound..<$0.upperBound }
    for gap in gaps.sorted(by: { $0.lowerBound < $1.lowerBound }) where gap.lowerBound >= start {
      if gap.lowerBound > start { ranges.append(start..<gap.lowerBound) }
      start = gap.upperBound
    }
    if start < scan.position { ranges.append(start..<scan.position) }
    precondition(
      zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }, "\(ranges) are not in order")
    return ranges
  }

  /// Reads record `sequence` into `buffer` (at least `stride` bytes, at a multiple of 4096) and checks header, payload
  /// and, after its predecessor, the chain. What is returned points into `buffer`. Who knows that all below
  /// `durableThrough` is durable by now spares looking into the folder for each of those records.
  ///
  /// Throws `.absent` for a record that is not there, `.lost` for one that salvage gave up, `.damaged` for one that is
  /// not as written.
  package func read(
    sequence: UInt64, into buffer: UnsafeMutableRawBufferPointer, durableThrough: UInt64 = 0
  ) throws(JournalError) -> Record {
    precondition(buffer.count >= stride, "a buffer of \(buffer.count) B for records of \(stride) B")
    let slot = UnsafeMutableRawBufferPointer(rebasing: buffer[..<stride])
    let header = try read(sequence, into: slot, durableThrough) { source.verdict($0, sequence, after: $1) }
    return record(header, UnsafeRawBufferPointer(slot))
  }

  /// The header of record `sequence` alone, checked as in `read`; its page is read into `buffer` (4096 bytes at a
  /// multiple of 4096).
  package func readHeader(
    sequence: UInt64, into buffer: UnsafeMutableRawBufferPointer, durableThrough: UInt64 = 0
  ) throws(JournalError) -> EventHeader {
    precondition(buffer.count >= EventHeader.pageByteCount, "a buffer of \(buffer.count) B for a header page")
    let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<EventHeader.pageByteCount])
    return try read(sequence, into: page, durableThrough) { source.verdict(page: $0, sequence, after: $1) }
  }

  private func read(
    _ sequence: UInt64, into slot: UnsafeMutableRawBufferPointer, _ durableThrough: UInt64,
    _ judge: (UnsafeRawBufferPointer, RecordSource.Predecessor) -> RecordSource.Verdict
  ) throws(JournalError) -> EventHeader {
    precondition(UInt(bitPattern: slot.baseAddress) % 4096 == 0, "a buffer at \(String(describing: slot.baseAddress))")
    let segment = try segment(of: sequence, durableThrough)
    var finding = RecordFinding.unreadable
    for attempt in 0..<attemptLimit {
      guard try fill(slot, from: segment, sequence, at: 0, attempt: attempt, durableThrough) else { continue }
      let before = expected.flatMap { $0.sequence == sequence ? $0 : nil }
      let predecessor = RecordSource.Predecessor(
        chain: before?.chain ?? (segment.first == sequence ? segment.page.chain : nil),
        epoch: max(before?.epoch ?? 0, segment.page.epoch))
      switch judge(UnsafeRawBufferPointer(slot), predecessor) {
      // Where nothing was written to one copy, and something to the other, it is what the other has that is bad.
      case .bad(let bad): if bad != .zeros || attempt < Self.attemptsPerCopy { finding = bad }
      case .intact(let header):
        precondition(header.sequence == sequence, "record \(header.sequence) was taken for \(sequence)")
        settledThrough = max(settledThrough, header.durableThrough)
        expected = (sequence + 1, header.chainAfter, header.epoch)
        return header
      }
    }
    if finding == .zeros { throw .absent(folder: device.folder, sequence: sequence) }
    throw .damaged(folder: device.folder, sequence: sequence, finding: finding)
  }

  /// The journal's folder, for messages.
  var folder: String { device.folder }

  /// Reads whole pages of record `sequence`; false where the device cannot read them.
  func readPart(
    _ sequence: UInt64, _ pages: Range<Int>, into bytes: UnsafeMutableRawBufferPointer, attempt: Int,
    _ durableThrough: UInt64
  ) throws(JournalError) -> Bool {
    precondition(bytes.count == pages.count && pages.upperBound <= stride, "\(pages) into \(bytes.count) B")
    let segment = try segment(of: sequence, durableThrough)
    return try fill(bytes, from: segment, sequence, at: pages.lowerBound, attempt: attempt, durableThrough)
  }

  /// What looks bad is read once more, then from the next copy; in the first attempt it comes out of many records that
  /// were read at once.
  var attemptLimit: Int { Self.attemptsPerCopy * device.copyCount }

  private static let attemptsPerCopy = 3

  /// Fills `bytes` with those of record `sequence` from `offset` on; false where the device cannot read them, and in
  /// the first attempt where the record is read alone.
  private func fill(
    _ bytes: UnsafeMutableRawBufferPointer, from segment: SegmentEntry, _ sequence: UInt64, at offset: Int,
    attempt: Int, _ durableThrough: UInt64
  ) throws(JournalError) -> Bool {
    do throws(JournalError) {
      if attempt == 0 { return try copyBatched(sequence, of: segment, at: offset, into: bytes, durableThrough) }
      batched = nil
      return try read(
        segment, copy: attempt / Self.attemptsPerCopy, at: segment.offset(of: sequence) + offset, into: bytes)
    } catch .host(.system(_, _, let errno)) where errno.isNoEntry {
      // Retention removed it since.
      throw .absent(folder: device.folder, sequence: sequence)
    }
  }

  /// Fills `bytes` from a segment, what lies beyond its end with zeros; false where the device cannot read it.
  private func read(
    _ segment: SegmentEntry, copy: Int = 0, at offset: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws(JournalError) -> Bool {
    let file = try source.files.file(segment.name)
    do throws(HostError) {
      let count = try device.read(file, copy: copy, into: bytes, at: offset)
      precondition(count <= bytes.count, "the device read \(count) B into \(bytes.count) B")
      UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).initializeMemory(as: UInt8.self, repeating: 0)
      return true
    } catch {
      return false
    }
  }

  /// Copies bytes of a record out of those that were read with it, or are now; false where it is read alone: a large
  /// one, or one among others that may still be written.
  private func copyBatched(
    _ sequence: UInt64, of segment: SegmentEntry, at offset: Int, into slot: UnsafeMutableRawBufferPointer,
    _ durableThrough: UInt64
  ) throws(JournalError) -> Bool {
    guard let batch else { return false }
    let count = UInt64(batch.bytes.count / stride), lower = segment.first + (sequence - segment.first) / count * count
    let range = lower..<min(lower + count, segment.capacityEnd)
    if batched?.name != segment.name || batched?.range != range {
      guard range.upperBound <= max(settledThrough, durableThrough) else { return false }
      batched = nil
      let bytes = UnsafeMutableRawBufferPointer(rebasing: batch.bytes[..<(range.count * stride)])
      guard try read(segment, at: segment.offset(of: lower), into: bytes) else { return false }
      batched = (segment.name, range)
    }
    let start = Int(sequence - lower) * stride + offset
    slot.copyMemory(from: UnsafeRawBufferPointer(rebasing: batch.bytes[start..<start + slot.count]))
    return true
  }

  private func record(_ header: EventHeader, _ slot: UnsafeRawBufferPointer) -> Record {
    precondition(
      header.payloadByteCount <= slot.count - EventHeader.pageByteCount,
      "record \(header.sequence): \(header.payloadByteCount) B of payload in \(slot.count) B")
    let metadata = slot[EventHeader.byteCount..<EventHeader.byteCount + header.metadataByteCount]
    let payload = slot[EventHeader.pageByteCount..<EventHeader.pageByteCount + header.payloadByteCount]
    return Record(
      header: header, metadata: UnsafeRawBufferPointer(rebasing: metadata),
      payload: UnsafeRawBufferPointer(rebasing: payload))
  }

  /// The segment that holds a record. A segment that was begun since may hold it instead, so the folder is looked at
  /// anew unless the record is known to be settled.
  private func segment(of sequence: UInt64, _ durableThrough: UInt64) throws(JournalError) -> SegmentEntry {
    let isSettled = sequence < settledThrough && catalog?.extent(of: sequence) != nil
    let catalog: SegmentCatalog
    if isSettled, let current = self.catalog {
      catalog = current
    } else {
      catalog = try refresh()
      settledThrough = max(settledThrough, durableThrough)
    }
    if let loss = catalog.losses.first(where: { ($0.first..<$0.end).contains(sequence) }) {
      throw .lost(folder: device.folder, range: loss.first..<loss.end)
    }
    guard let extent = catalog.extent(of: sequence) else {
      throw .absent(folder: device.folder, sequence: sequence)
    }
    return catalog.segments[extent.index]
  }

  private func refresh() throws(JournalError) -> SegmentCatalog {
    let known = catalog?.known ?? [:]
    catalog = nil
    let new = try SegmentCatalog(source, lockWait: nil, known: known)
    catalog = new
    settledThrough = max(settledThrough, new.segments.map(\.page.durableThrough).max() ?? 0)
    return new
  }
}

extension Errno {
  /// Whether there is no file of the name.
  var isNoEntry: Bool { rawValue == 2 }  // ENOENT
}
