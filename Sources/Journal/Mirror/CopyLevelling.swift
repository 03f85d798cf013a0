internal import Host
internal import Rings

/// Makes two copies of a journal the same where they are not: what one copy lacks or has damaged is written again from
/// the other, a whole segment at a time, under another name that takes its place when it is durable.
///
/// Records are right by their own checksums. What lies behind the last record is no part of the journal, and is left.
struct CopyLevelling {
  let pair: MirroredDevice
  let scan: JournalScan
  let depth: RecoveryDepth
  /// Reads one copy each.
  let copies: [RecordSource?]
  /// The names in each folder.
  private var names: [[String]] = [[], []]
  /// What each copy lacks.
  private(set) var findings = [CopyFindings(), CopyFindings()]

  init(_ pair: MirroredDevice, _ source: RecordSource, _ scan: JournalScan, depth: RecoveryDepth) {
    (self.pair, self.scan, self.depth) = (pair, scan, depth)
    copies = pair.sides.map { device in
      device.map { RecordSource(device: $0, identity: pair.identity, stride: pair.stride, rules: source.rules) }
    }
  }

  /// What a writer writes again before it goes on, at most; a copy that lacks more is left for `mendJournal`.
  static let writingByteLimit = 1 << 30

  /// For a writer that is about to go on in both. A copy that cannot be made whole is lost, where the other one is.
  mutating func levelForWriting() throws(JournalError) {
    defer { for copy in copies { copy?.files.closeAll() } }
    try compare()
    for side in 0..<2 where !findings[side].isWhole && pair.loss == nil {
      let isOtherWhole = findings[1 - side].isWhole
      if isOtherWhole, findings[side].byteCount > Self.writingByteLimit {
        return try lose(side, "it lacks \(findings[side].segments.count) segments, too much to write before going on")
      }
      do throws(JournalError) { try write(side) } catch {
        guard case .host(let reason) = error, isOtherWhole else { throw error }
        try lose(side, "\(reason)")
      }
    }
  }

  /// Whether a copy has all that both have. Changes nothing.
  mutating func isWhole(_ side: Int) throws(JournalError) -> Bool {
    defer { for copy in copies { copy?.files.closeAll() } }
    try compare()
    return findings[side].isWhole
  }

  private func lose(_ side: Int, _ reason: String) throws(JournalError) {
    try hosted { () throws(HostError) in try pair.lose(side, reason) }
  }

  /// Looks for what each copy lacks. Throws `.copiesDiffer` where both have a whole record in one place, and not the
  /// same.
  mutating func compare() throws(JournalError) {
    for index in 0..<2 {
      names[index] = try hosted { () throws(HostError) in try copies[index]?.device.names() ?? [] }
    }
    let rebuilt = Set(scan.catalog.decisions.filter { $0.decision != .used }.map(\.name))
    for (index, entry) in scan.catalog.segments.enumerated() where !rebuilt.contains(entry.name) {
      let extent = scan.catalog.extents.first { $0.index == index }
      try compare(entry, records(of: extent))
    }
    try comparePages()
  }

  /// The sequences that are compared in a segment.
  private func records(of extent: SegmentCatalog.Extent?) -> Range<UInt64> {
    guard let extent else { return 0..<0 }
    let end = min(extent.range.upperBound, max(scan.position, extent.range.lowerBound))
    return extent.range.lowerBound..<end
  }

  private mutating func compare(_ entry: SegmentEntry, _ range: Range<UInt64>) throws(JournalError) {
    var lacks = [false, false], isThere = [false, false]
    for index in 0..<2 {
      isThere[index] = names[index].contains(entry.name)
      lacks[index] = if isThere[index] { try !hasPage(of: entry, index) } else { true }
    }
    var (records, damaged): ([Int], Set<UInt64>) = ([0, 0], [])
    var chain = range.lowerBound == entry.first ? entry.page.chain : nil
    for sequence in range where depth == .everything || sequence >= scan.scopeFirst {
      if isGivenUp(sequence) {
        chain = nil
        continue
      }
      let withPayload = depth == .everything || sequence >= scan.durableThrough
      var headers: [EventHeader?] = [nil, nil]
      for index in 0..<2 where isThere[index] {
        headers[index] = try header(entry, sequence, index, withPayload: withPayload)
      }
      let first = try settled(&headers, sequence, chain)
      chain = first?.chainAfter
      if first == nil { damaged.insert(sequence) }
      for index in 0..<2 where first != nil && headers[index] == nil {
        lacks[index] = true
        records[index] += 1
      }
    }
    // What both have damaged cannot be mended: the scan says so.
    for index in 0..<2 where lacks[index] {
      findings[index].segments.append(
        CopyFindings.Lack(entry: entry, range: range, records: records[index], damaged: damaged))
    }
  }

  /// The header that counts of those that the copies have, if any; one that does not is taken away.
  private func settled(_ headers: inout [EventHeader?], _ sequence: UInt64, _ chain: UInt64?) throws(JournalError)
    -> EventHeader?
  {
    let base = pair.order.first ?? 0, other = 1 - base
    if let first = headers[base], let second = headers[other], first.chainAfter != second.chainAfter {
      guard pair.isOneBehind else {
        throw .copiesDiffer(
          folder: pair.folder, mirror: pair.mirror, reason: "record \(sequence) is whole in both, and not the same")
      }
      headers[other] = nil
    }
    if headers[base] == nil, let second = headers[other], pair.isOneBehind, chain != second.chain {
      headers[other] = nil
    }
    return headers[base] ?? headers[other]
  }

  private func isGivenUp(_ sequence: UInt64) -> Bool {
    scan.losses.contains { $0.contains(sequence) }
  }

  private func hasPage(of entry: SegmentEntry, _ index: Int) throws(JournalError) -> Bool {
    guard let copy = copies[index], let page = try copy.controlPage(entry.name) else { return false }
    guard page.identity == pair.identity else { throw foreignSegment(entry.name, in: copy.device, of: pair) }
    guard page == entry.page else { return false }
    return try copy.byteCount(of: entry.name) == Int(entry.page.end)
  }

  private func header(
    _ entry: SegmentEntry, _ sequence: UInt64, _ index: Int, withPayload: Bool
  ) throws(JournalError) -> EventHeader? {
    let start = RecordSource.Predecessor(chain: nil, epoch: 0)
    guard let copy = copies[index],
      case .intact(let header) = try copy.verdict(entry, sequence, after: start, withPayload: withPayload)
    else { return nil }
    return header
  }

  /// What retention removed, what was given up, and how far the journal was is on record in both.
  private mutating func comparePages() throws(JournalError) {
    var pages = scan.catalog.losses.map { (FileName.lossName($0.first..<$0.end), $0) }
    if let retired = scan.catalog.retired { pages.append((FileName.retiredName, retired)) }
    if let through = scan.catalog.through { pages.append((FileName.throughName, through)) }
    for index in 0..<2 {
      for (name, page) in pages {
        if names[index].contains(name), try copies[index]?.controlPage(name) == page { continue }
        findings[index].pages.append((name, page))
      }
    }
  }

  /// Writes what a copy lacks.
  func write(_ index: Int) throws(JournalError) {
    guard let device = copies[index]?.device else { preconditionFailure("\(pair.folders[index]) is not open") }
    for (name, page) in findings[index].pages { try publish(page, as: name, device) }
    for lack in findings[index].segments { try rewrite(lack, device) }
  }

  private func rewrite(_ lack: CopyFindings.Lack, _ device: any JournalDevice) throws(JournalError) {
    let entry = lack.entry, temporary = entry.name + FileName.mendingSuffix, base = pair.order.first ?? 0
    try hosted { () throws(HostError) in
      if try device.names().contains(temporary) { try device.unlink(temporary) }
    }
    let sources = [base, 1 - base].filter { names[$0].contains(entry.name) }.compactMap { index in
      // A copy that is behind may hold a record of what never came to be.
      copies[index].map { SegmentRewriting.Source(copy: $0, isBehind: pair.isOneBehind && index != base) }
    }
    _ = try SegmentRewriting(sources: sources, stride: pair.stride).write(
      entry, lack.range, as: temporary, on: device
    ) { lack.damaged.contains($0) || isGivenUp($0) }
    try hosted { () throws(HostError) in
      try device.rename(temporary, to: entry.name)
      try device.syncFolder()
    }
  }
}

/// A whole segment of another journal lies in one of two copies: nobody writes over it, for it may be all that there is
/// of that.
func foreignSegment(
  _ name: String, in device: any JournalDevice, of pair: MirroredDevice
) -> JournalError {
  .copiesDiffer(
    folder: pair.folder, mirror: pair.mirror, reason: "\(device.folder)/\(name) is whole, and another journal's")
}

/// What one copy of a journal lacks.
struct CopyFindings {
  /// A segment that is missing or has something damaged.
  struct Lack {
    let entry: SegmentEntry
    /// The records that belong into it.
    let range: Range<UInt64>
    /// How many of these are not there as they were written.
    let records: Int
    /// Those that no copy has.
    let damaged: Set<UInt64>
  }

  /// What is written again.
  var segments: [Lack] = []
  /// Pages that say what was removed or given up.
  var pages: [(name: String, page: ControlPage)] = []

  /// Whether nothing is missing.
  var isWhole: Bool { segments.isEmpty && pages.isEmpty }
  /// How much is written to make it whole.
  var byteCount: Int { segments.reduce(0) { $0 + Int($1.entry.page.end) } }
}
