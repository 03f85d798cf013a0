internal import Host
internal import Rings

/// The files of a journal's folder, opened, and what their first pages say.
struct SegmentCatalog {
  /// In the order of their numbers.
  private(set) var segments: [Segment] = []
  private(set) var retired: ControlPage?
  /// In the order of their sequences.
  private(set) var losses: [ControlPage] = []
  private(set) var unfinished: [String] = []
  /// What was decided about each segment's file.
  private(set) var decisions: [(name: String, decision: SegmentDecision)] = []
  /// For each first sequence the number of segments that begin with it.
  private(set) var copies: [UInt64: Int] = [:]
  private var damaged: [(name: String, file: JournalFile, first: UInt64)] = []

  /// Opens every segment. With `lockWait`, for writing: each is locked on its own descriptor before a byte of it is
  /// read, so that what a dead writer had in flight has landed.
  ///
  /// Throws `.corrupted` for a segment that is another journal's, `.locked` if a lock was not free in time.
  init(_ source: RecordSource, lockWait: Duration?) throws(JournalError) {
    let device = source.device
    for name in try hosted({ () throws(HostError) in try device.names() }) {
      switch FileName(name) {
      case .segment(let first, let copy):
        copies[first] = max(copies[first] ?? 0, copy + 1)
        try openSegment(name, first: first, source, lockWait)
      case .loss: try openLoss(name, source)
      case .retired: retired = try page(name, .retired, source)
      case .unfinished: unfinished.append(name)
      case .foreign: throw .refused(folder: device.folder, reason: "\(name) is no file of a journal; remove it")
      }
    }
    segments.sort { $0.number < $1.number }
    try placeDamaged(source)
    losses.sort { $0.first < $1.first }
  }

  /// Closes the files but `kept`.
  func close(_ device: any JournalDevice, except kept: JournalFile? = nil) {
    for segment in segments where segment.file != kept { device.close(segment.file) }
  }

  /// The sequences that are to be found in each segment: from its first to where a later one begins. Empty ranges are
  /// left out.
  var extents: [Extent] {
    var extents: [Extent] = []
    var limit = UInt64.max
    for (index, segment) in segments.enumerated().reversed() {
      let upper = min(limit, segment.capacityEnd)
      if segment.first < upper { extents.append(Extent(index: index, range: segment.first..<upper)) }
      limit = min(limit, segment.first)
    }
    return extents.reversed()
  }

  struct Extent {
    let index: Int
    let range: Range<UInt64>
  }

  private mutating func openSegment(_ name: String, first: UInt64, _ source: RecordSource, _ lockWait: Duration?)
    throws(JournalError)
  {
    let device = source.device
    let file = try hosted { () throws(HostError) in try device.open(name, forWriting: lockWait != nil) }
    if let lockWait, source.rules.waitsForLock {
      guard try hosted({ () throws(HostError) in try device.lock(file, wait: lockWait) }) else {
        throw .locked(folder: device.folder, waited: lockWait)
      }
    }
    guard let page = try source.controlPage(file, name) else {
      damaged.append((name, file, first))
      return
    }
    guard Segment.isPossible(page, identity: source.identity, stride: source.stride, first: first) else {
      throw .corrupted(
        folder: device.folder, damages: [JournalDamage(lowerBound: first, upperBound: first, finding: .foreign)])
    }
    try add(name, file, page, .used, device)
  }

  private mutating func add(
    _ name: String, _ file: JournalFile, _ page: ControlPage, _ decision: SegmentDecision, _ device: any JournalDevice
  ) throws(JournalError) {
    let fileByteCount = try hosted { () throws(HostError) in try device.byteCount(of: file) }
    segments.append(Segment(name: name, file: file, page: page, fileByteCount: fileByteCount))
    decisions.append((name, decision))
  }

  /// Gives a segment whose header is damaged the one number that is left for it, if its first record is whole.
  private mutating func placeDamaged(_ source: RecordSource) throws(JournalError) {
    for (name, file, first) in damaged {
      let byteCount = try hosted { () throws(HostError) in try source.device.byteCount(of: file) }
      let records = (byteCount - ControlPage.byteCount) / source.stride
      guard damaged.count == 1, records >= 2, let number = freeNumber(first),
        let record = try source.header(in: file, at: ControlPage.byteCount), record.sequence == first,
        record.identity == source.identity
      else {
        decisions.append((name, .setAside))
        source.device.close(file)
        source.forget()
        continue
      }
      precondition(!segments.contains { $0.number == number }, "\(name) would be segment \(number), which there is")
      let page = ControlPage(
        kind: .segment, identity: source.identity, stride: source.stride, first: first,
        end: UInt64(ControlPage.byteCount + records * source.stride), chain: record.chain, epoch: record.epoch,
        number: number,
        durableThrough: min(record.durableThrough, first))
      try add(name, file, page, .rebuilt, source.device)
    }
    damaged.removeAll()
    segments.sort { $0.number < $1.number }
  }

  /// The number missing between two segments, or the one before or after all.
  private func freeNumber(_ first: UInt64) -> UInt64? {
    guard let lowest = segments.first, let highest = segments.last else { return 0 }
    let numbers = Set(segments.map(\.number))
    let holes = (lowest.number...highest.number).prefix(1 << 20).filter { !numbers.contains($0) }
    if holes.count > 1 { return nil }
    if let hole = holes.first { return hole }
    if first < lowest.first { return lowest.number == 0 ? nil : lowest.number - 1 }
    return highest.number + 1
  }

  private mutating func openLoss(_ name: String, _ source: RecordSource) throws(JournalError) {
    let page = try page(name, .loss, source)
    guard page.first <= page.end, page.end < TaggedWord.sequenceLimit, FileName.lossName(page.first..<page.end) == name
    else {
      throw .refused(
        folder: source.device.folder, reason: "\(name) says something else than its name; remove it and salvage again")
    }
    losses.append(page)
  }

  private func page(_ name: String, _ kind: ControlPage.PageKind, _ source: RecordSource) throws(JournalError)
    -> ControlPage
  {
    let device = source.device
    let file = try hosted { () throws(HostError) in try device.open(name, forWriting: false) }
    defer {
      device.close(file)
      // The next file that is opened may get its number.
      source.forget()
    }
    guard let page = try source.controlPage(file, name), page.kind == kind, page.identity == source.identity,
      page.stride == source.stride
    else {
      throw .refused(folder: device.folder, reason: "\(name) is damaged or another journal's")
    }
    return page
  }
}

/// Runs what a device does, with the journal's own error.
func hosted<Value>(_ body: () throws(HostError) -> Value) throws(JournalError) -> Value {
  do throws(HostError) { return try body() } catch { throw .host(error) }
}
