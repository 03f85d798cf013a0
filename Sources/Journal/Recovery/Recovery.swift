internal import Host
package import Rings

/// Reads every record of a journal and checks header, chain and payload, changing nothing; a writer may be at work.
/// Records beyond what it has acknowledged count as torn.
///
/// `durableFloor`: sequences below it are durable by other evidence. Throws `.host` where the device fails, `.refused`
/// and `.corrupted` for files that are another journal's; damage of records is in the report.
package func verifyJournal(
  device: any JournalDevice, identity: RingIdentity, stride: Int, durableFloor: UInt64 = 0,
  depth: RecoveryDepth = .everything
) throws(JournalError) -> RecoveryReport {
  let source = RecordSource(device: device, identity: identity, stride: stride, rules: JournalRules())
  let catalog = try SegmentCatalog(source, lockWait: nil)
  defer { source.files.closeAll() }
  var scan = JournalScan(source, catalog, depth: depth, floor: durableFloor)
  try scan.run()
  return RecoveryReport(scan)
}

/// What recovery leaves to a writer.
struct RecoveredJournal {
  let report: RecoveryReport
  /// The last segment, open and locked, where the journal goes on in it.
  let openSegment: Segment?
  let chain: UInt64
  /// The epoch of the last record. What cut-off writes left behind it may be of later ones.
  let epoch: UInt64
  let isBrandNew: Bool
  let segmentNumber: UInt64
  let copies: [UInt64: Int]
  /// What the page says that a writer left when it closed the journal.
  let statedThrough: UInt64
}

/// Takes the locks, makes durable what will be read, and scans. Everything is read again by whoever recovers next, so
/// it may end at any point.
func recover(_ source: RecordSource, _ options: JournalOptions) throws(JournalError) -> RecoveredJournal {
  let device = source.device
  try takeFolder(device, options)
  do throws(JournalError) { return try recoverLocked(source, options) } catch {
    device.unlockFolder()
    throw error
  }
}

private func takeFolder(_ device: any JournalDevice, _ options: JournalOptions) throws(JournalError) {
  guard try hosted({ () throws(HostError) in try device.lockFolder(wait: options.lockWait) }) else {
    throw .locked(folder: device.folder, waited: options.lockWait)
  }
}

private func recoverLocked(_ source: RecordSource, _ options: JournalOptions) throws(JournalError) -> RecoveredJournal {
  let device = source.device, pair = device as? MirroredDevice
  try pair?.beginWriting()
  defer { source.files.closeAll() }
  var scan: JournalScan
  do throws(JournalError) { scan = try scanDurably(source, options) } catch {
    guard let pair, pair.loss == nil, let side = pair.refusing, case .host(let reason) = error else { throw error }
    try loseWhereOtherIsWhole(pair, side, reason, source, options)
    scan = try scanDurably(source, options)
  }
  if let pair, pair.loss == nil, options.rules.levelsCopies {
    var levelling = CopyLevelling(pair, source, scan, depth: options.depth)
    try levelling.levelForWriting()
    source.files.closeAll()
    source.forget()
    // What only a copy had that is lost by now is not there any more.
    if pair.loss != nil { scan = try scanDurably(source, options) }
  }
  pair?.mayLose = true
  let catalog = scan.catalog
  let openSegment = scan.openSegment
  let file = if let openSegment { try source.files.take(openSegment.name) } else { nil as JournalFile? }
  return RecoveredJournal(
    report: RecoveryReport(scan), openSegment: openSegment.flatMap { entry in file.map { Segment(entry, file: $0) } },
    chain: scan.predecessor.chain ?? 0,
    epoch: scan.predecessor.epoch,
    isBrandNew: scan.isBrandNew,
    segmentNumber: (catalog.segments.map(\.number).max() ?? 0)
      + UInt64(catalog.decisions.count - catalog.segments.count),
    copies: catalog.copies, statedThrough: catalog.through?.durableThrough ?? 0)
}

/// Goes on without a copy whose disk is read but takes nothing more, as one that was lost while nothing was written.
/// Throws `reason` where the other one, which may be on a new disk, does not have all that both have.
private func loseWhereOtherIsWhole(
  _ pair: MirroredDevice, _ side: Int, _ reason: HostError, _ source: RecordSource, _ options: JournalOptions
) throws(JournalError) {
  guard options.rules.levelsCopies else { throw .host(reason) }
  source.forget()
  let scan = try scan(source, try SegmentCatalog(source, lockWait: options.lockWait), options)
  var levelling = CopyLevelling(pair, source, scan, depth: options.depth)
  guard try levelling.isWhole(1 - side) else { throw .host(reason) }
  try hosted { () throws(HostError) in try pair.lose(side, "\(reason)") }
  source.files.closeAll()
  source.forget()
}

/// Scans what is durable by then. Throws `.corrupted` for damage.
private func scanDurably(_ source: RecordSource, _ options: JournalOptions) throws(JournalError) -> JournalScan {
  let device = source.device
  let catalog = try SegmentCatalog(source, lockWait: options.lockWait)
  // What is read below must still be there after the next power cut, or the next recovery could decide otherwise.
  for segment in catalog.segments.suffix(syncedSegmentCount) {
    let file = try source.files.file(segment.name)
    try hosted { () throws(HostError) in try device.sync(file) }
  }
  for name in catalog.unfinished { try hosted { () throws(HostError) in try device.unlink(name) } }
  try hosted { () throws(HostError) in try device.syncFolder() }
  source.forget()
  return try scan(source, catalog, options)
}

/// Throws `.corrupted` for damage.
private func scan(
  _ source: RecordSource, _ catalog: SegmentCatalog, _ options: JournalOptions
) throws(JournalError) -> JournalScan {
  var scan = JournalScan(source, catalog, depth: options.depth, floor: options.durableFloor)
  try scan.run()
  guard scan.damages.isEmpty else { throw .corrupted(folder: source.device.folder, damages: scan.damages) }
  return scan
}

/// A writer has batches in flight in two segments at most; one more that a failing device ended.
let syncedSegmentCount = 4

/// Gives up what is damaged, on the record: for each range of acknowledged records that are not what was written a page
/// of loss is made durable, after which the journal can be opened and goes on behind them. No byte of a segment is
/// changed.
///
/// Returns what was given up; empty if nothing was damaged. Nobody may be writing: throws `.locked` otherwise, `.host`
/// where the device fails.
package func salvageJournal(
  device: any JournalDevice, identity: RingIdentity, stride: Int, options: JournalOptions = JournalOptions()
) throws(JournalError) -> [JournalDamage] {
  let source = RecordSource(device: device, identity: identity, stride: stride, rules: options.rules)
  try takeFolder(device, options)
  defer { device.unlockFolder() }
  let catalog = try SegmentCatalog(source, lockWait: options.lockWait)
  defer { source.files.closeAll() }
  var scan = JournalScan(source, catalog, depth: .everything, floor: options.durableFloor)
  try scan.run()
  for damage in scan.damages {
    let page = ControlPage(
      kind: .loss, identity: identity, stride: stride, first: damage.lowerBound, end: damage.upperBound,
      chain: try chain(of: damage.upperBound, source, catalog), epoch: scan.epochHighest,
      number: catalog.segments.last?.number ?? 0,
      durableThrough: scan.durableThrough)
    try publish(page, as: FileName.lossName(damage.lowerBound..<damage.upperBound), device)
  }
  return scan.damages
}

/// The chain that record `sequence` states, or its segment; 0 where there is neither, which is where the chain begins
/// anew.
private func chain(of sequence: UInt64, _ source: RecordSource, _ catalog: SegmentCatalog) throws(JournalError)
  -> UInt64
{
  guard let extent = catalog.extent(of: sequence) else { return 0 }
  let segment = catalog.segments[extent.index]
  if segment.first == sequence { return segment.page.chain }
  return try source.peek(segment, sequence).header?.chain ?? 0
}

/// Makes a small file of one page durable under its name: all of it or none.
func publish(_ page: ControlPage, as name: String, _ device: any JournalDevice) throws(JournalError) {
  try hosted { () throws(HostError) in try publishPage(page, as: name, device) }
}

func publishPage(_ page: ControlPage, as name: String, _ device: any JournalDevice) throws(HostError) {
  let memory = AlignedMemory(byteCount: ControlPage.byteCount)
  page.encode(into: memory.bytes)
  let temporary = name + FileName.unfinishedSuffix
  if try device.names().contains(temporary) { try device.unlink(temporary) }
  let file = try device.create(temporary, byteCount: ControlPage.byteCount)
  defer { device.close(file) }
  try device.write(file, UnsafeRawBufferPointer(memory.bytes), at: 0)
  try device.sync(file)
  try device.rename(temporary, to: name)
  try device.syncFolder()
}
