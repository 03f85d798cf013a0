internal import Host
package import Rings

/// Reads what is settled in a journal again, each copy by itself, compares it with its checksums, and writes sealed
/// segments that are damaged again from the other copy, also while a writer adds to the journal. Use from one thread.
///
/// It takes no lock, and changes no byte of a file that anybody has open: a segment is written again under a name of
/// its own, read back, and the two files exchange their names. What is not known to be durable, and what retention
/// removes meanwhile, is no finding. It may be cut off at any point.
package final class JournalScrub {
  private let device: any JournalDevice
  private let identity: RingIdentity
  private let stride: Int
  private let goesOn: (Int) -> Bool
  private let found: (ScrubFinding) -> Void
  private let shards: ShardFolders?
  /// What can be made from shards; nil where there are none.
  private var reserve: RecordSource?
  private var report = ScrubReport()
  private var isEnded = false

  /// A pass through the journal on `device`, whose sealed segments are coded in `shards`, where it has any. `goesOn`
  /// hears how many bytes were read or written each time, may wait, and ends the pass with false; `found` hears of each
  /// damage when it is known what became of it.
  package init(
    _ device: any JournalDevice, identity: RingIdentity, stride: Int, shards: ShardFolders? = nil,
    goesOn: @escaping (Int) -> Bool, found: @escaping (ScrubFinding) -> Void
  ) {
    (self.device, self.identity, self.stride, self.goesOn, self.found) = (device, identity, stride, goesOn, found)
    self.shards = shards
  }

  private func spend(_ byteCount: Int) -> Bool {
    if !isEnded, !goesOn(byteCount) { isEnded = true }
    return !isEnded
  }

  /// What is read of a segment in one copy.
  private struct Copy {
    let source: RecordSource
    /// What is wrong with it, by record; nil for the first page.
    var damages: [(record: UInt64?, finding: RecordFinding)] = []
    var isThere = true
  }

  /// Reads all of it. Throws `.copiesDiffer` where both copies have a whole record in one place, and not the same,
  /// `.host` where a device fails, and `.refused` or `.corrupted` for files that are another journal's.
  package func run() throws(JournalError) -> ScrubReport {
    let source = self.source(try whole)
    reserve = shards.map { self.source(ShardDevice($0, named: "the shards")) }
    defer {
      source.files.closeAll()
      reserve?.files.closeAll()
    }
    let scan = try look(source), catalog = scan.catalog
    report.unread = unread
    for extent in catalog.extents {
      let range = extent.range.clamped(to: 0..<max(scan.durableThrough, extent.range.lowerBound))
      guard !range.isEmpty else { continue }
      // The writer may have the last one open, or what is not settled there in flight.
      let isSealed = extent.index < catalog.segments.count - 1 && range == extent.range
      let given = catalog.losses.filter { $0.first < range.upperBound && $0.end > range.lowerBound }
      guard try read(catalog.segments[extent.index], range, isSealed, given) else { return report }
    }
    if !Self.missing(scan).isEmpty { try noteMissing() }
    report.isComplete = true
    return report
  }

  /// What the journal's files are, and how far they say that it was durable.
  private func look(_ source: RecordSource) throws(JournalError) -> JournalScan {
    var scan = JournalScan(source, try SegmentCatalog(source, lockWait: nil), depth: .tail, floor: 0)
    try scan.run()
    return scan
  }

  private static func missing(_ scan: JournalScan) -> [Range<UInt64>] {
    scan.damages.filter { $0.finding == .missing }.map { $0.lowerBound..<$0.upperBound }.filter { !$0.isEmpty }
  }

  /// Tells of records that were durable and that no segment of any copy holds. It looks once more: meanwhile the writer
  /// may have begun a segment, or retention removed one.
  private func noteMissing() throws(JournalError) {
    let again = source(try whole), sources = copies.map(source)
    defer { again.files.closeAll() }
    let coded = shards?.ranges ?? []
    for range in Self.missing(try look(again)) {
      guard try !isRetired(range, sources) else { continue }
      // Of two copies nobody looks into the shards for segments: they are written again after the run.
      let isCoded = coded.contains { $0.lowerBound <= range.lowerBound && $0.upperBound >= range.upperBound }
      for source in sources {
        note(
          ScrubFinding(
            folder: source.device.folder, segment: nil, record: range.lowerBound, finding: .missing,
            outcome: isCoded ? .mendable : sources.count > 1 ? .lost : .onlyCopy, through: range.upperBound - 1,
            isFromShards: isCoded ? true : nil))
      }
    }
  }

  /// The folders of copies that are not there, or behind.
  private var unread: [String] {
    guard let pair = device as? MirroredDevice else { return [] }
    let read = pair.order.prefix(pair.copyCount)
    return pair.folders.indices.filter { !read.contains($0) }.map { pair.folders[$0] }
  }

  private func note(_ finding: ScrubFinding) {
    report.findings.append(finding)
    found(finding)
  }

  /// What says which segments there are: of one folder, whose file may be gone, also its shards.
  private var whole: any JournalDevice {
    get throws(JournalError) {
      guard let shards, !(device is MirroredDevice) else { return device }
      return try hosted { () throws(HostError) in try readingPair(device, shards) }
    }
  }

  private func source(_ device: any JournalDevice) -> RecordSource {
    RecordSource(device: device, identity: identity, stride: stride, rules: JournalRules())
  }

  /// The copies that are kept, the one that is believed first: a copy that is behind is left to who mends it.
  private var copies: [any JournalDevice] { keptCopies(of: device) }

  /// Reads one segment in each copy; false where the pass ends.
  private func read(
    _ entry: SegmentEntry, _ range: Range<UInt64>, _ isSealed: Bool, _ given: [ControlPage]
  ) throws(JournalError) -> Bool {
    var copies = self.copies.map { Copy(source: source($0)) }
    defer { for copy in copies { copy.source.files.closeAll() } }
    for index in copies.indices { try lookAtPage(of: entry, &copies[index]) }
    // Retention removed it, where no shards know of it.
    if !copies.contains(where: \.isThere) {
      guard reserve != nil, try !isRetired(range, copies.map(\.source)) else { return true }
    }
    report.segments += copies.count(where: \.isThere)
    var lost: Set<UInt64> = []
    for sequence in range where !given.contains(where: { ($0.first..<$0.end).contains(sequence) }) {
      guard let isWhole = try read(sequence, of: entry, &copies) else { return false }
      if !isWhole { lost.insert(sequence) }
    }
    guard copies.contains(where: { !$0.damages.isEmpty }) else { return true }
    // One of the copies was lost meanwhile: what it lacks is no damage, and it is left as it is.
    if let pair = device as? MirroredDevice, copies.count > 1,
      try hosted({ () throws(HostError) in try pair.readMarks() }).contains(where: { $0 != nil })
    {
      return false
    }
    let isPageDamaged = copies.allSatisfy { $0.damages.first.map { $0.record == nil } ?? false }
    let isPageLost = if isPageDamaged { try !reserveHasPage(of: entry) } else { false }
    let isMendable = isSealed && lost.isEmpty && !isPageLost
    for index in copies.indices where !copies[index].damages.isEmpty {
      let outcome = try deal(with: index, of: copies, entry, range, isMendable, given)
      guard let outcome else { continue }
      var row: ScrubFinding?
      for (record, finding) in copies[index].damages {
        let isLost = record.map(lost.contains) ?? isPageLost
        let next = ScrubFinding(
          folder: copies[index].source.device.folder, segment: entry.name, record: record, finding: finding,
          outcome: isLost ? (copies.count > 1 ? .lost : .onlyCopy) : outcome,
          isFromShards: copies.count == 1 && !isLost ? true : nil)
        if row?.extend(with: next) ?? false { continue }
        if let row { note(row) }
        row = next
      }
      if let row { note(row) }
    }
    return true
  }

  private func reserveHasPage(of entry: SegmentEntry) throws(JournalError) -> Bool {
    guard let reserve, try isInReserve(entry) else { return false }
    return try reserve.controlPage(entry.name) == entry.page
  }

  private func isInReserve(_ entry: SegmentEntry) throws(JournalError) -> Bool {
    guard let reserve else { return false }
    do throws(JournalError) { _ = try reserve.files.file(entry.name) } catch .host(.system(_, _, let errno))
      where errno.isNoEntry
    {
      return false
    }
    return true
  }

  private func lookAtPage(of entry: SegmentEntry, _ copy: inout Copy) throws(JournalError) {
    do throws(JournalError) {
      _ = try copy.source.files.file(entry.name)
    } catch .host(.system(_, _, let errno)) where errno.isNoEntry {
      copy.isThere = false
      copy.damages.append((nil, .missing))
      return
    }
    let page = try copy.source.controlPage(entry.name), byteCount = try copy.source.byteCount(of: entry.name)
    if let page, page.identity != identity, let pair = device as? MirroredDevice {
      throw foreignSegment(entry.name, in: copy.source.device, of: pair)
    }
    if page != entry.page || byteCount != Int(entry.page.end) { copy.damages.append((nil, .torn)) }
  }

  /// Reads one record in each copy; says whether one has it whole. Nil where the pass ends.
  private func read(_ sequence: UInt64, of entry: SegmentEntry, _ copies: inout [Copy]) throws(JournalError) -> Bool? {
    let start = RecordSource.Predecessor(chain: nil, epoch: 0)
    var whole: EventHeader?
    for index in copies.indices where copies[index].isThere {
      switch try copies[index].source.verdict(entry, sequence, after: start, withPayload: true) {
      case .intact(let header):
        if let other = whole, other.chainAfter != header.chainAfter {
          throw .copiesDiffer(
            folder: device.folder, mirror: copies[index].source.device.folder,
            reason: "record \(sequence) is whole in both, and not the same")
        }
        whole = header
        report.byteCount += EventHeader.pageByteCount + header.payloadByteCount
      case .bad(let finding): copies[index].damages.append((sequence, finding))
      }
      guard spend(EventHeader.pageByteCount + (whole?.payloadByteCount ?? 0)) else { return nil }
    }
    if whole == nil, let reserve, try isInReserve(entry),
      case .intact(let header) = try reserve.verdict(entry, sequence, after: start, withPayload: true)
    {
      whole = header
    }
    return whole != nil
  }

  /// Mends a copy where that can be; nil where it turns out that retention removed the segment.
  private func deal(
    with index: Int, of copies: [Copy], _ entry: SegmentEntry, _ range: Range<UInt64>, _ isMendable: Bool,
    _ given: [ControlPage]
  ) throws(JournalError) -> ScrubFinding.Outcome? {
    guard copies.count > 1 || reserve != nil else { return .onlyCopy }
    guard isMendable else { return .mendable }
    if try mend(copies[index], from: copies, entry, range, given) { return .mended }
    if !copies[index].isThere, try isRetired(range, copies.map(\.source)) { return nil }
    return isEnded ? .mendable : .failed
  }

  /// Whether retention has these records on record as removed.
  private func isRetired(_ range: Range<UInt64>, _ sources: [RecordSource]) throws(JournalError) -> Bool {
    for source in sources {
      source.forget()
      let names = try hosted { () throws(HostError) in try source.device.names() }
      guard names.contains(FileName.retiredName) else { continue }
      if let page = try source.controlPage(FileName.retiredName), page.first >= range.upperBound { return true }
    }
    return false
  }

  /// Writes the segment again in one copy. False where it could not be done this time: the disk is full, or the file is
  /// gone.
  private func mend(
    _ copy: Copy, from copies: [Copy], _ entry: SegmentEntry, _ range: Range<UInt64>, _ given: [ControlPage]
  ) throws(JournalError) -> Bool {
    let target = copy.source.device
    var sources = copies.filter(\.isThere).map(\.source)
    if let reserve, try isInReserve(entry) { sources.append(reserve) }
    // Nobody else's: whoever goes on in the journal removes it, and mends under another name.
    let temporary = "\(entry.name).\(UInt32.random(in: 0...(.max)))\(FileName.mendingSuffix)"
    do throws(JournalError) {
      let rewriting = SegmentRewriting(
        sources: sources.map { SegmentRewriting.Source(copy: $0, isBehind: false) }, stride: stride)
      let isWritten = try rewriting.write(
        entry, range, as: temporary, on: target,
        isHole: { sequence in given.contains { ($0.first..<$0.end).contains(sequence) } }, goesOn: spend)
      if isWritten, try isWhole(temporary, like: entry, range, given, on: target), try !isRetired(range, sources) {
        try put(temporary, in: entry.name, isThere: copy.isThere, target)
        return true
      }
    } catch .host {
      // Said as what could not be mended; the next pass tries it again.
    }
    discard(temporary, target)
    return false
  }

  /// Reads back what was written: a disk that damages is not believed.
  private func isWhole(
    _ name: String, like entry: SegmentEntry, _ range: Range<UInt64>, _ given: [ControlPage],
    on target: any JournalDevice
  ) throws(JournalError) -> Bool {
    let source = source(target), start = RecordSource.Predecessor(chain: nil, epoch: 0)
    defer { source.files.closeAll() }
    let written = SegmentEntry(name: name, page: entry.page, fileByteCount: entry.fileByteCount)
    guard try source.controlPage(name) == entry.page else { return false }
    for sequence in range where !given.contains(where: { ($0.first..<$0.end).contains(sequence) }) {
      guard case .intact(let header) = try source.verdict(written, sequence, after: start, withPayload: true),
        spend(EventHeader.pageByteCount + header.payloadByteCount)
      else { return false }
    }
    return true
  }

  /// Gives the file its name, at once: where it is there, the two exchange theirs, so that one that was removed
  /// meanwhile does not come back.
  private func put(
    _ temporary: String, in name: String, isThere: Bool, _ target: any JournalDevice
  ) throws(JournalError) {
    do throws(HostError) {
      if isThere { try target.exchange(temporary, with: name) } else { try target.rename(temporary, to: name) }
    } catch  where error.cannotExchange {
      try hosted { () throws(HostError) in try target.rename(temporary, to: name) }
    } catch {
      throw .host(error)
    }
    try hosted { () throws(HostError) in try target.syncFolder() }
    discard(temporary, target)
  }

  private func discard(_ temporary: String, _ target: any JournalDevice) {
    do throws(HostError) {
      if try target.names().contains(temporary) {
        try target.unlink(temporary)
        try target.syncFolder()
      }
    } catch {
      // Whoever goes on in the journal removes it.
    }
  }
}

/// The folders of a journal that are kept, the one that is believed first.
func keptCopies(of device: any JournalDevice) -> [any JournalDevice] {
  guard let pair = device as? MirroredDevice else { return [device] }
  return pair.order.prefix(pair.copyCount).compactMap { pair.sides[$0] }
}
