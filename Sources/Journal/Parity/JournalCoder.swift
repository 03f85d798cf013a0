internal import Host
internal import Rings

/// Codes the sealed segments of a journal into shards, also while a writer adds to it, and writes shards that are
/// missing or damaged again. Use from one thread.
///
/// It reads the journal's copies and takes no lock of theirs; of the shards' folders it takes each lock, and where
/// somebody else codes it does nothing. Every record is compared with its checksums on the way, so that no damage is
/// coded. It may be cut off at any point: a shard has its name when it is durable, and an earlier set of a segment that
/// has grown goes when there are enough shards of the later one.
package final class JournalCoder {
  /// How much is done.
  package enum Extent: Sendable {
    /// What a later segment follows, while a writer may be at work.
    case sealed
    /// All of it: nobody writes.
    case everything
  }

  let device: any JournalDevice
  let folders: ShardFolders
  let identity: RingIdentity
  let stride: Int
  private let writes: Bool
  private let goesOn: (Int) -> Bool
  private var report = CodingReport()
  private var isEnded = false

  /// Codes the journal on `device` into `folders`, or without `writes` only looks. `goesOn` hears how many bytes were
  /// read or written each time, may wait, and ends it with false.
  package init(
    _ device: any JournalDevice, into folders: ShardFolders, writes: Bool = true,
    goesOn: @escaping (Int) -> Bool = { _ in true }
  ) {
    (self.device, self.folders, self.writes, self.goesOn) = (device, folders, writes, goesOn)
    (identity, stride) = (folders.identity, folders.stride)
  }

  private func spend(_ byteCount: Int) -> Bool {
    if !isEnded, !goesOn(byteCount) { isEnded = true }
    return !isEnded
  }

  /// Codes what is not coded yet, and writes missing shards again; with `verifies` every piece is read, and damaged
  /// ones are written again too. Segments named in `known` are whole, as an earlier pass found, and not looked at.
  ///
  /// Returns what came of it. Throws `.host` where the journal's own device fails, `.locked` where somebody else codes
  /// this journal; what fails in a folder of shards is in the report.
  package func run(
    _ extent: Extent, verifies: Bool = false, known: inout Set<String>
  ) throws(JournalError) -> CodingReport {
    guard !writes || folders.lock() else { throw .locked(folder: folders.places[0].folder, waited: .zero) }
    defer { if writes { folders.unlock() } }
    let source = RecordSource(device: device, identity: identity, stride: stride, rules: JournalRules())
    let catalog = try SegmentCatalog(source, lockWait: nil)
    defer { source.files.closeAll() }
    var scan = JournalScan(source, catalog, depth: .tail, floor: 0)
    try scan.run()
    let found = folders.look()
    if writes {
      removeLeftovers(found)
      copyPages(catalog, found)
    }
    let through = extent == .everything ? scan.position : scan.durableThrough
    for part in catalog.extents {
      let entry = catalog.segments[part.index]
      let range = part.range.lowerBound..<min(part.range.upperBound, max(through, part.range.lowerBound))
      let isSealed = part.index < catalog.segments.count - 1 && range == part.range
      guard !range.isEmpty, isSealed || extent == .everything, verifies || !known.contains(entry.name) else { continue }
      let isRebuilt = catalog.decisions.contains { $0.name == entry.name && $0.decision == .rebuilt }
      let isWhole = try see(to: entry, range, isRebuilt, verifies, found, catalog)
      guard !isEnded else { break }
      if isWhole, isSealed { known.insert(entry.name) }
    }
    noteLost(found, catalog, verifies)
    if writes { removeRetired(found, catalog) }
    report.failures = folders.failures.map { CodingReport.Failure(folder: $0.folder, reason: "\($0.error)") }
    report.foreign = folders.foreign.map {
      CodingReport.Foreign(folder: $0.folder, name: $0.name, owner: "\($0.identity)")
    }
    report.isComplete = !isEnded
    return report
  }

  /// Sees to the shards of one segment; says whether all are there now.
  private func see(
    to entry: SegmentEntry, _ range: Range<UInt64>, _ isRebuilt: Bool, _ verifies: Bool, _ found: ShardCatalog,
    _ catalog: SegmentCatalog
  ) throws(JournalError) -> Bool {
    let sets = found.sets[entry.name] ?? []
    if let set = sets.first(where: { $0.common.end == range.upperBound && isOf(entry, $0) && $0.isEnough }) {
      return heal(set, found, verifies)
    }
    // What the shards have and the journal does not is for who mends it.
    if let set = sets.first(where: { $0.common.end > range.upperBound && $0.isEnough }) {
      return heal(set, found, verifies)
    }
    guard !isRebuilt else {
      report.lost.append(CodingReport.Segment(segment: entry.name, reason: "its first page is damaged"))
      return false
    }
    guard writes else {
      let reason = sets.first.map { Self.tooFew($0, 0) } ?? "it has no shards yet"
      report.lost.append(CodingReport.Segment(segment: entry.name, reason: reason))
      return false
    }
    do throws(JournalError) {
      let made = try code(entry, range, catalog)
      guard !isEnded else { return false }
      guard made.count >= folders.code.data else {
        let reason = "only \(made.count) of the \(folders.code.data) devices that it needs take a shard"
        report.lost.append(CodingReport.Segment(segment: entry.name, reason: reason))
        return false
      }
      report.coded += 1
      report.codedByteCount += ControlPage.byteCount + range.count * stride
      note(range)
      remove(sets.filter { $0.common.end != range.upperBound })
      for index in 0..<folders.code.count where !made.contains(index) {
        note(index, of: entry.name, isHealed: false)
      }
      return made.count == folders.code.count
    } catch .damaged(_, let sequence, let finding) {
      let gone = sets.first.map { Self.tooFew($0, 0) + "; " } ?? ""
      report.lost.append(
        CodingReport.Segment(segment: entry.name, reason: "\(gone)record \(sequence) is damaged: \(finding)"))
      return false
    }
  }

  private func isOf(_ entry: SegmentEntry, _ set: ShardSet) -> Bool {
    set.common.number == entry.number && set.common.segmentByteCount == Int(entry.page.end)
      && set.common.data == folders.code.data && set.common.parity == folders.code.parity
  }

  private func note(_ range: Range<UInt64>) {
    report.segments += 1
    report.byteCount += ControlPage.byteCount + range.count * stride
  }

  private func note(_ index: Int, of segment: String, in shard: ShardSet.Shard? = nil, isHealed: Bool) {
    let folder = folders.places[shard?.place ?? index].folder
    report.faults.append(CodingReport.Fault(segment: segment, shard: index, folder: folder, isHealed: isHealed))
  }

  /// Codes a segment anew; returns the shards of it that are there now. Throws `.damaged` for a record that no copy has
  /// and nobody gave up.
  private func code(
    _ entry: SegmentEntry, _ range: Range<UInt64>, _ catalog: SegmentCatalog
  ) throws(JournalError) -> [Int] {
    let content = ControlPage.byteCount + range.count * stride
    let common = ShardHeader.Common(
      identity: identity, stride: stride, first: entry.first, end: range.upperBound, number: entry.number,
      segmentByteCount: Int(entry.page.end),
      pieceByteCount: ShardHeader.pieceByteCount(content: content, data: folders.code.data), data: folders.code.data,
      parity: folders.code.parity, contentChecksum: 0)
    let writing = ShardWriting(entry.name, common, folders.places.indices.map { ($0, $0) }, folders)
    let sources = keptCopies(of: device).map {
      RecordSource(device: $0, identity: identity, stride: stride, rules: JournalRules())
    }
    defer { for source in sources { source.files.closeAll() } }
    let rewriting = SegmentRewriting(
      sources: sources.map { SegmentRewriting.Source(copy: $0, isBehind: false) }, stride: stride)
    var segment = SegmentContent(
      entry, range, rewriting, given: catalog.losses.map { $0.first..<$0.end },
      stripe: common.data * common.pieceByteCount)
    for _ in 0..<common.stripeCount where writing.isAlive {
      let count = try segment.fillStripe()
      writing.add(UnsafeRawBufferPointer(segment.stripe.bytes), count: count)
      guard spend(2 * count) else { break }
    }
    guard !isEnded, writing.isAlive else {
      writing.abandon()
      return []
    }
    return writing.commit()
  }

  /// Writes the shards of a set again that are missing, and with `verifies` those that are damaged; says whether all
  /// are whole now.
  private func heal(_ set: ShardSet, _ found: ShardCatalog, _ verifies: Bool) -> Bool {
    let reading = ShardReading(set, folders)
    if verifies, !reading.verify(goesOn: spend) { return false }
    let bad = reading.damaged.sorted()
    let wanted = (set.missing + bad).sorted()
    if verifies, !bad.isEmpty, !reading.isReadable(goesOn: spend) {
      if !isEnded {
        report.lost.append(CodingReport.Segment(segment: set.segment, reason: Self.tooFew(set, bad.count)))
      }
      return false
    }
    note(set.common.first..<set.common.end)
    guard !wanted.isEmpty else { return true }
    let healed = writes ? write(wanted, of: set, reading) : []
    for index in wanted {
      note(index, of: set.segment, in: set.shards[index], isHealed: healed.contains(index))
    }
    return healed.count == wanted.count
  }

  static func tooFew(_ set: ShardSet, _ damaged: Int) -> String {
    "\(set.missing.count + damaged) of its \(set.common.data + set.common.parity) shards are gone or damaged, and "
      + "\(set.common.parity) may be"
  }

  /// Writes shards of a set from the others: each where it was, or in a folder that has none.
  private func write(_ wanted: [Int], of set: ShardSet, _ reading: ShardReading) -> [Int] {
    var free = folders.places.indices.filter { place in
      folders.device(place) != nil && !set.shards.values.contains { $0.place == place }
    }
    var targets: [(index: Int, place: Int)] = []
    for index in wanted {
      if let place = set.shards[index]?.place {
        targets.append((index, place))
      } else if let place = free.contains(index) ? index : free.first {
        free.removeAll { $0 == place }
        targets.append((index, place))
      }
    }
    guard !targets.isEmpty else { return [] }
    let writing = ShardWriting(set.segment, set.common, targets, folders)
    let width = set.common.data * set.common.pieceByteCount
    for index in 0..<set.common.stripeCount where writing.isAlive {
      do throws(HostError) {
        let count = min(width, set.common.contentByteCount - index * width)
        writing.add(try reading.stripe(index), count: count)
        guard spend(2 * count) else { break }
      } catch {
        writing.abandon()
      }
    }
    guard !isEnded, writing.isAlive, writing.contentChecksum == set.common.contentChecksum else {
      writing.abandon()
      return []
    }
    return writing.commit()
  }

  /// Segments that only shards are left of, and too few.
  private func noteLost(_ found: ShardCatalog, _ catalog: SegmentCatalog, _ verifies: Bool) {
    let there = Set(catalog.segments.map(\.name))
    for (segment, sets) in found.sets.sorted(by: { $0.key < $1.key }) where !there.contains(segment) {
      guard let set = sets.first, !isRetired(set, catalog) else { continue }
      if let best = found.best(segment) {
        _ = heal(best, found, verifies)
      } else {
        report.lost.append(CodingReport.Segment(segment: segment, reason: Self.tooFew(set, 0)))
      }
    }
  }
}

// Pages, and what nobody needs any more.
extension JournalCoder {
  /// What an attempt left that was cut off; names that nobody here gives are somebody else's.
  private func removeLeftovers(_ found: ShardCatalog) {
    for (place, names) in found.names.enumerated() {
      for name in names where name.hasSuffix(FileName.unfinishedSuffix) {
        let made = String(name.dropLast(FileName.unfinishedSuffix.count))
        guard ShardName(made) != nil || ShardDevice.pageKind(made) != nil else { continue }
        _ = folders.attempt(place) { (device) throws(HostError) in try device.unlink(name) }
      }
    }
  }

  /// What retention removed, what was given up, and how far the journal was, in every folder.
  private func copyPages(_ catalog: SegmentCatalog, _ found: ShardCatalog) {
    var pages = catalog.losses.map { (FileName.lossName($0.first..<$0.end), $0) }
    if let retired = catalog.retired { pages.append((FileName.retiredName, retired)) }
    if let through = catalog.through { pages.append((FileName.throughName, through)) }
    for place in folders.places.indices {
      for (name, page) in pages {
        _ = folders.attempt(place) { (device) throws(HostError) in
          if found.names[place].contains(name), let there = try Self.page(name, on: device) {
            guard there.identity == identity else { return folders.noteForeign(name, place, there.identity) }
            if there == page { return }
          }
          try publishPage(page, as: name, device)
        }
      }
    }
  }

  private static func page(_ name: String, on device: any JournalDevice) throws(HostError) -> ControlPage? {
    let memory = AlignedMemory(byteCount: ControlPage.byteCount)
    let file = try device.open(name, forWriting: false)
    defer { device.close(file) }
    guard try device.read(file, into: memory.bytes, at: 0) == ControlPage.byteCount else { return nil }
    return ControlPage(UnsafeRawBufferPointer(memory.bytes))
  }

  private func remove(_ sets: [ShardSet]) {
    for set in sets {
      for shard in set.shards.values {
        _ = folders.attempt(shard.place) { (device) throws(HostError) in try device.unlink(shard.name) }
        folders.forget(shard.name, shard.place)
      }
    }
  }

  private func isRetired(_ set: ShardSet, _ catalog: SegmentCatalog) -> Bool {
    catalog.retired.map { set.common.end <= $0.first } ?? false
  }

  /// Shards of what retention removed.
  private func removeRetired(_ found: ShardCatalog, _ catalog: SegmentCatalog) {
    let there = Set(catalog.segments.map(\.name))
    for sets in found.sets.values {
      remove(sets.filter { isRetired($0, catalog) && !there.contains($0.segment) })
    }
  }
}
