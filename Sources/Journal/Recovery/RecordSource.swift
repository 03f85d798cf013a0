internal import Host
internal import Rings

/// Reads pages and records of one journal, and says what they are. What was read is checked before it is used, and read
/// once more before it is called bad.
final class RecordSource {
  let device: any JournalDevice
  let identity: RingIdentity
  let stride: Int
  let rules: JournalRules
  /// The segments' files.
  let files: SegmentFiles
  /// What was read of each copy that the device has.
  private var memories: [AlignedMemory]
  private var cached: [(name: String, range: Range<Int>)?] = [nil]
  /// The copy that is read.
  private var copy = 0
  /// Whether another copy than the first is believed only where the first one has nothing whole: it is behind.
  var believesFirstCopy = false

  init(device: any JournalDevice, identity: RingIdentity, stride: Int, rules: JournalRules) {
    precondition(
      stride >= EventHeader.pageByteCount && stride % EventHeader.pageByteCount == 0, "a stride of \(stride)")
    self.device = device
    self.identity = identity
    self.stride = stride
    self.rules = rules
    files = SegmentFiles(device: device)
    memories = [Self.memory(stride)]
  }

  private static func memory(_ stride: Int) -> AlignedMemory {
    AlignedMemory(byteCount: stride <= readAheadStride ? 1 << 20 : 4 << 20)
  }

  /// Has the copies read in turn until `body` finds what it looks for in one of them; nil where it does in none.
  private func inCopies<Found>(_ body: () throws(JournalError) -> Found?) throws(JournalError) -> Found? {
    defer { copy = 0 }
    for index in 0..<device.copyCount {
      copy = index
      if memories.count == index {
        memories.append(Self.memory(stride))
        cached.append(nil)
      }
      if let found = try body() { return found }
    }
    return nil
  }

  /// Records up to this stride are read many at a time, even for their headers alone.
  private static let readAheadStride = 64 << 10

  /// What a record has to follow.
  struct Predecessor {
    /// Nil where damage cut the chain.
    var chain: UInt64?
    var epoch: UInt64
  }

  enum Verdict {
    case intact(EventHeader)
    case bad(RecordFinding)
  }

  /// Forgets what was read, where files may have changed.
  func forget() { for index in cached.indices { cached[index] = nil } }

  /// The control page at the beginning of the file `name`; nil if it is damaged. Throws `.refused` for one of another
  /// version: it is not damaged, and nothing may be derived in its place.
  func controlPage(_ name: String) throws(JournalError) -> ControlPage? {
    try inCopies { () throws(JournalError) in
      for _ in 0..<2 {
        if let bytes = try bytes(name, 0, ControlPage.byteCount) {
          if let page = ControlPage(bytes) { return page }
          if let layout = ControlPage.otherLayout(bytes) {
            throw .refused(folder: device.folder, reason: "\(name) \(ControlPage.refusal(ofLayout: layout))")
          }
        }
        cached[copy] = nil
      }
      return nil
    }
  }

  /// The file's size.
  func byteCount(of name: String) throws(JournalError) -> Int {
    let file = try files.file(name)
    return try hosted { () throws(HostError) in try device.byteCount(of: file) }
  }

  /// The header at an offset; nil if it is damaged.
  func header(in name: String, at offset: Int) throws(JournalError) -> EventHeader? {
    try inCopies { () throws(JournalError) in
      for _ in 0..<2 {
        if let bytes = try bytes(name, offset, EventHeader.pageByteCount), case .success(let header) = parsed(bytes) {
          return header
        }
        cached[copy] = nil
      }
      return nil
    }
  }

  /// What the header page at `sequence`'s place is, regardless of what it follows.
  func peek(
    _ segment: SegmentEntry, _ sequence: UInt64
  ) throws(JournalError) -> (later: LaterFinding, header: EventHeader?) {
    var found: LaterFinding?
    let record = try inCopies { () throws(JournalError) -> EventHeader? in
      if believesFirstCopy, found == .nothing { return nil }
      let (later, header) = try peekCopy(segment, sequence)
      if found != .garbage { found = later }
      return header
    }
    return record.map { (.record, $0) } ?? (found ?? .garbage, nil)
  }

  private func peekCopy(
    _ segment: SegmentEntry, _ sequence: UInt64
  ) throws(JournalError) -> (later: LaterFinding, header: EventHeader?) {
    for attempt in 0..<2 {
      guard let bytes = try bytes(segment.name, segment.offset(of: sequence), EventHeader.pageByteCount) else {
        if attempt == 0 { continue }
        return (.garbage, nil)
      }
      if case .success(let header) = parsed(bytes), isOwn(header), header.sequence == sequence {
        return (.record, header)
      }
      if isZero(bytes) { return (.nothing, nil) }
      cached[copy] = nil
    }
    return (.garbage, nil)
  }

  /// What the record at `sequence`'s place is, as the follower of `predecessor`.
  func verdict(
    _ segment: SegmentEntry, _ sequence: UInt64, after predecessor: Predecessor, withPayload: Bool
  ) throws(JournalError) -> Verdict {
    var finding: RecordFinding?
    let header = try inCopies { () throws(JournalError) -> EventHeader? in
      var found = RecordFinding.unreadable
      for _ in 0..<2 {
        switch try judge(segment, sequence, predecessor, withPayload) {
        case .intact(let header): return header
        case .bad(let bad): found = bad
        }
        if found == .zeros { break }
        cached[copy] = nil
      }
      // Where nothing was written to one copy, and something to the other, it is what the other has that is bad.
      if finding == nil || finding == .zeros && !believesFirstCopy { finding = found }
      return nil
    }
    return header.map { .intact($0) } ?? .bad(finding ?? .unreadable)
  }

  private func judge(
    _ segment: SegmentEntry, _ sequence: UInt64, _ predecessor: Predecessor, _ withPayload: Bool
  ) throws(JournalError) -> Verdict {
    let offset = segment.offset(of: sequence)
    guard let bytes = try bytes(segment.name, offset, EventHeader.pageByteCount) else { return .bad(.unreadable) }
    let header: EventHeader
    switch headerVerdict(bytes, sequence, after: predecessor) {
    case .intact(let intact): header = intact
    case .bad(.torn): return .bad(try isZero(segment.name, offset..<offset + stride) ? .zeros : .torn)
    case .bad(let finding): return .bad(finding)
    }
    guard withPayload, rules.checksPayload else { return .intact(header) }
    guard let checksum = try checksum(segment.name, offset, header) else { return .bad(.unreadable) }
    return checksum == header.payloadCRC32C ? .intact(header) : .bad(.payload)
  }

  /// What a whole record in memory is, as the follower of `predecessor`.
  func verdict(_ slot: UnsafeRawBufferPointer, _ sequence: UInt64, after predecessor: Predecessor) -> Verdict {
    precondition(slot.count == stride, "a record of \(slot.count) bytes")
    switch headerVerdict(slot, sequence, after: predecessor) {
    case .bad(.torn): return .bad(isZero(slot) ? .zeros : .torn)
    case .bad(let finding): return .bad(finding)
    case .intact(let header):
      let payload = slot[EventHeader.pageByteCount..<EventHeader.pageByteCount + header.payloadByteCount]
      let checksum = contentChecksum(of: header, page: slot, payload: UnsafeRawBufferPointer(rebasing: payload))
      return checksum == header.payloadCRC32C ? .intact(header) : .bad(.payload)
    }
  }

  /// What a header page in memory is, as the follower of `predecessor`; says nothing of the payload.
  func verdict(page: UnsafeRawBufferPointer, _ sequence: UInt64, after predecessor: Predecessor) -> Verdict {
    let verdict = headerVerdict(page, sequence, after: predecessor)
    if case .bad(.torn) = verdict, isZero(page) { return .bad(.zeros) }
    return verdict
  }

  private func headerVerdict(_ bytes: UnsafeRawBufferPointer, _ sequence: UInt64, after predecessor: Predecessor)
    -> Verdict
  {
    let header: EventHeader
    switch parsed(bytes) {
    case .success(let parsed): header = parsed
    case .failure(.magic), .failure(.checksum): return .bad(.torn)
    case .failure: return .bad(.foreign)
    }
    return verdict(header, sequence, after: predecessor)
  }

  /// What a whole header in `sequence`'s place is, as the follower of `predecessor`.
  func verdict(_ header: EventHeader, _ sequence: UInt64, after predecessor: Predecessor) -> Verdict {
    guard isOwn(header) else { return .bad(.foreign) }
    guard header.sequence == sequence else { return .bad(.misplaced) }
    if rules.checksEpoch, header.epoch < predecessor.epoch { return .bad(.epochBack) }
    if rules.checksChain, let chain = predecessor.chain, header.chain != chain { return .bad(.chainBroken) }
    return .intact(header)
  }

  /// The checksum of metadata and payload; nil if they cannot be read.
  private func checksum(_ name: String, _ offset: Int, _ header: EventHeader) throws(JournalError)
    -> UInt32?
  {
    guard let page = try bytes(name, offset, EventHeader.pageByteCount) else { return nil }
    let bands = header.bands, metadataEnd = EventHeader.byteCount + header.metadataByteCount
    let table = [UInt8](page[min(bands?.tableOffset ?? page.count, page.count)...])
    var checksum = ContentChecksum(
      bands, metadata: UnsafeRawBufferPointer(rebasing: page[EventHeader.byteCount..<metadataEnd]))
    var (done, isListed) = (0, (bands?.tableOffset ?? metadataEnd) >= metadataEnd)
    while done < header.payloadByteCount {
      let count = min(memories[copy].bytes.count, (header.payloadByteCount - done + 4095) / 4096 * 4096)
      guard let part = try bytes(name, offset + EventHeader.pageByteCount + done, count) else { return nil }
      let payload = part[..<min(count, header.payloadByteCount - done)]
      checksum.add(UnsafeRawBufferPointer(rebasing: payload)) { band, value in
        let listed = table.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * band, as: UInt32.self) }
        isListed = isListed && UInt32(littleEndian: listed) == value
      }
      done += count
    }
    // A table that is not the payload's is damage as well, whatever the checksum of all.
    return isListed ? checksum.value : ~header.payloadCRC32C
  }

  private func parsed(_ bytes: UnsafeRawBufferPointer) -> Result<EventHeader, EventHeader.Fault> {
    Result { () throws(EventHeader.Fault) in try EventHeader(validating: bytes) }
  }

  private func isOwn(_ header: EventHeader) -> Bool {
    header.identity == identity && header.payloadByteCount <= stride - EventHeader.pageByteCount
      && header.durableThrough <= header.sequence && header.sequence < TaggedWord.sequenceLimit
      && header.epoch < TaggedWord.epochLimit
  }

  private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.withMemoryRebound(to: UInt64.self) { words in words.allSatisfy { $0 == 0 } }
  }

  private func isZero(_ name: String, _ range: Range<Int>) throws(JournalError) -> Bool {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let count = min(memories[copy].bytes.count, range.upperBound - offset)
      guard let part = try bytes(name, offset, count), isZero(part) else { return false }
      offset += count
    }
    return true
  }

  /// `count` bytes of a file, valid until the next call; what lies beyond the file's end reads as zeros. Nil if the
  /// device cannot read them (EIO).
  private func bytes(_ name: String, _ offset: Int, _ count: Int) throws(JournalError) -> UnsafeRawBufferPointer? {
    let memory = memories[copy]
    precondition(count <= memory.bytes.count && offset >= 0, "\(count) bytes at \(offset)")
    precondition(count % 4096 == 0 && offset % 4096 == 0, "\(count) bytes at \(offset) are not whole blocks")
    if cached[copy]?.name != name
      || cached[copy].map({ !$0.range.contains(offset) || offset + count > $0.range.upperBound }) ?? true
    {
      let wanted = stride <= Self.readAheadStride && offset > 0 ? memory.bytes.count : count
      let file = try files.file(name)
      cached[copy] = nil
      do throws(HostError) {
        let target = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<wanted])
        let got = try device.read(file, copy: copy, into: target, at: offset)
        precondition(got <= wanted, "the device read \(got) B into \(wanted) B")
        if got < count {
          UnsafeMutableRawBufferPointer(rebasing: target[got..<count]).initializeMemory(as: UInt8.self, repeating: 0)
        }
        cached[copy] = (name, offset..<offset + max(got, count))
      } catch .system(_, _, let errno) where errno.rawValue == Self.inputOutputError {
        return nil
      } catch {
        throw .host(error)
      }
    }
    guard let cached = cached[copy] else { return nil }
    let start = offset - cached.range.lowerBound
    precondition(
      start >= 0 && offset + count <= cached.range.upperBound, "\(count) bytes at \(offset) of \(cached.range)")
    return UnsafeRawBufferPointer(rebasing: memory.bytes[start..<start + count])
  }

  private static let inputOutputError: Int32 = 5  // EIO
}
