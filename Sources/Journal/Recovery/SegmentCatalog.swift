internal import Host
internal import Rings

/// The files of a journal's folder, and what their first pages say.
struct SegmentCatalog {
  /// In the order of their numbers.
  private(set) var segments: [SegmentEntry] = []
  /// The sequences that are to be found in each segment: from its first to where a later one begins. Empty ranges are
  /// left out.
  private(set) var extents: [Extent] = []
  private(set) var retired: ControlPage?
  /// How far the journal was when it was closed; nil where nobody did, or that page is damaged.
  private(set) var through: ControlPage?
  /// In the order of their sequences.
  private(set) var losses: [ControlPage] = []
  private(set) var unfinished: [String] = []
  /// What was decided about each segment's file.
  private(set) var decisions: [(name: String, decision: SegmentDecision)] = []
  /// For each first sequence the number of segments that begin with it, those that were known aside.
  private(set) var copies: [UInt64: Int] = [:]
  private var damaged: [(name: String, first: UInt64)] = []

  /// Reads the first page of every segment; those that are `known` are not read again, as their pages never change.
  /// With `lockWait`, for writing: each is locked on its own descriptor before a byte of it is read, so that what a
  /// dead writer had in flight has landed. The folder's lock keeps others away afterwards.
  ///
  /// Throws `.corrupted` for a segment that is another journal's, `.locked` if a lock was not free in time.
  init(_ source: RecordSource, lockWait: Duration?, known: [String: SegmentEntry] = [:]) throws(JournalError) {
    let device = source.device
    source.files.begin(isWriting: lockWait != nil, lockWait: source.rules.waitsForLock ? lockWait : nil)
    source.forget()
    for name in try hosted({ () throws(HostError) in try device.names() }) {
      if let entry = known[name] {
        add(entry, .used)
        continue
      }
      switch FileName(name) {
      case .segment(let first, let copy):
        copies[first] = max(copies[first] ?? 0, copy + 1)
        try look(at: name, first: first, source)
      case .loss: try openLoss(name, source)
      case .retired: retired = try page(name, .retired, source)
      case .through: through = try witness(name, source)
      case .unfinished, .mending: unfinished.append(name)
      case .alone: continue
      case .foreign: throw .refused(folder: device.folder, reason: "\(name) is no file of a journal; remove it")
      }
    }
    segments.sort { $0.number < $1.number }
    try placeDamaged(source)
    losses.sort { $0.first < $1.first }
    extents = Self.extents(of: segments)
  }

  /// The segments whose pages were whole, by their names.
  var known: [String: SegmentEntry] {
    let rebuilt = Set(decisions.filter { $0.decision != .used }.map(\.name))
    return Dictionary(uniqueKeysWithValues: segments.filter { !rebuilt.contains($0.name) }.map { ($0.name, $0) })
  }

  /// Where a record is to be found; nil where no segment has it.
  func extent(of sequence: UInt64) -> Extent? {
    var (low, high) = (0, extents.count)
    while low < high {
      let middle = (low + high) / 2
      if extents[middle].range.upperBound <= sequence { low = middle + 1 } else { high = middle }
    }
    return low < extents.count && extents[low].range.contains(sequence) ? extents[low] : nil
  }

  private static func extents(of segments: [SegmentEntry]) -> [Extent] {
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

  private mutating func look(at name: String, first: UInt64, _ source: RecordSource) throws(JournalError) {
    guard let page = try source.controlPage(name) else {
      damaged.append((name, first))
      return
    }
    guard Segment.isPossible(page, identity: source.identity, stride: source.stride, first: first) else {
      throw .corrupted(
        folder: source.device.folder, damages: [JournalDamage(lowerBound: first, upperBound: first, finding: .foreign)])
    }
    add(SegmentEntry(name: name, page: page, fileByteCount: try source.byteCount(of: name)), .used)
  }

  private mutating func add(_ entry: SegmentEntry, _ decision: SegmentDecision) {
    segments.append(entry)
    decisions.append((entry.name, decision))
  }

  /// Gives each segment whose header is damaged the number that is left for it, if it has a whole record. Where that is
  /// not the first one, the chain that begins the segment is lost with it: what is in its place fits nothing, and the
  /// scan finds that.
  private mutating func placeDamaged(_ source: RecordSource) throws(JournalError) {
    damaged.sort { $0.first < $1.first }
    let numbers = freeNumbers(damaged.map(\.first))
    for (index, (name, first)) in damaged.enumerated() {
      let byteCount = try source.byteCount(of: name)
      let records = (byteCount - ControlPage.byteCount) / source.stride
      guard records >= 2, let number = numbers?[index],
        let record = try firstWhole(of: records, in: name, first: first, source)
      else {
        decisions.append((name, .setAside))
        continue
      }
      precondition(!segments.contains { $0.number == number }, "\(name) would be segment \(number), which there is")
      let page = ControlPage(
        kind: .segment, identity: source.identity, stride: source.stride, first: first,
        end: UInt64(ControlPage.byteCount + records * source.stride),
        chain: record.sequence == first ? record.chain : 0, epoch: record.epoch, number: number,
        durableThrough: min(record.durableThrough, first))
      add(SegmentEntry(name: name, page: page, fileByteCount: byteCount), .rebuilt)
    }
    damaged.removeAll()
    segments.sort { $0.number < $1.number }
  }

  /// The header of the first record that is whole and in its place.
  private func firstWhole(of records: Int, in name: String, first: UInt64, _ source: RecordSource)
    throws(JournalError) -> EventHeader?
  {
    for index in 0..<records {
      let header = try source.header(in: name, at: ControlPage.byteCount + index * source.stride)
      if let header, header.identity == source.identity, header.sequence == first + UInt64(index) { return header }
    }
    return nil
  }

  /// The numbers left for segments that begin with these records, in their order: those missing between the segments
  /// that are there, and the ones before and behind all. Nil where more are missing than there are segments for. The
  /// scan checks the chain, so a wrong one is damage and nothing else.
  private func freeNumbers(_ firsts: [UInt64]) -> [UInt64]? {
    guard let lowest = segments.first, let highest = segments.last else { return firsts.indices.map(UInt64.init) }
    let numbers = Set(segments.map(\.number))
    let holes = (lowest.number...highest.number).prefix(1 << 20).filter { !numbers.contains($0) }
    guard holes.count <= firsts.count else { return nil }
    let beforeMax = min(firsts.count - holes.count, Int(clamping: lowest.number))
    let before = firsts.prefix(beforeMax).prefix { $0 < lowest.first }.count
    let behind = firsts.count - before - holes.count
    return (0..<before).map { lowest.number - UInt64(before - $0) } + holes
      + (0..<behind).map { highest.number + 1 + UInt64($0) }
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

  /// What vouches for records, where it can: one that is damaged says nothing, and is no damage of the journal.
  private func witness(_ name: String, _ source: RecordSource) throws(JournalError) -> ControlPage? {
    guard let page = try source.controlPage(name), page.kind == .through, page.identity == source.identity,
      page.stride == source.stride
    else { return nil }
    return page
  }

  private func page(_ name: String, _ kind: ControlPage.PageKind, _ source: RecordSource) throws(JournalError)
    -> ControlPage
  {
    guard let page = try source.controlPage(name), page.kind == kind, page.identity == source.identity,
      page.stride == source.stride
    else {
      throw .refused(folder: source.device.folder, reason: "\(name) is damaged or another journal's")
    }
    return page
  }
}

/// Runs what a device does, with the journal's own error.
func hosted<Value>(_ body: () throws(HostError) -> Value) throws(JournalError) -> Value {
  do throws(HostError) { return try body() } catch { throw .host(error) }
}
