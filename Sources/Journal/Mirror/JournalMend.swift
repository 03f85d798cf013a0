internal import Host

/// What mending two copies of a journal came to.
package struct MendReport: Sendable, Equatable, Codable {
  /// What was done to one copy.
  package struct Copy: Sendable, Equatable, Codable {
    /// Its folder.
    package var folder: String
    /// Whether the journal had gone on without it.
    package var wasBehind: Bool
    /// The segments that were written again.
    package var segments: [String]
    /// The records among what was written that it lacked, or had damaged.
    package var records: Int
    /// Files that it had beyond what the other one went on with, and that were removed.
    package var removed: [String]
  }

  /// The journal's own folder and its mirror.
  package var copies: [Copy]
  /// What both copies lack.
  package var damages: [JournalDamage]

  /// This and what was done after it, as one.
  package func followed(by later: MendReport) -> MendReport {
    var all = MendReport(copies: copies, damages: later.damages)
    for copy in later.copies {
      guard let index = all.copies.firstIndex(where: { $0.folder == copy.folder }) else {
        all.copies.append(copy)
        continue
      }
      all.copies[index].wasBehind = all.copies[index].wasBehind || copy.wasBehind
      all.copies[index].segments += copy.segments.filter { !all.copies[index].segments.contains($0) }
      all.copies[index].records += copy.records
      all.copies[index].removed += copy.removed
    }
    return all
  }

  /// Whether there was nothing to do.
  package var wasWhole: Bool { copies.allSatisfy { !$0.wasBehind && $0.segments.isEmpty && $0.removed.isEmpty } }
}

/// Reads all of both copies of a journal, and writes what one lacks or has damaged again from the other. Afterwards
/// both are whole, but for what both lack, and a writer goes on in both.
///
/// Nobody may be writing: throws `.locked` otherwise, `.copiesDiffer` where the copies are not of one history, `.host`
/// where a disk fails or a folder is not there. It may be cut off at any point, and be repeated.
package func mendJournal(_ pair: MirroredDevice, options: JournalOptions = JournalOptions()) throws(JournalError)
  -> MendReport
{
  try mend(pair, sides: 0..<2, options)
}

/// Writes again from shards what a journal's folder lacks or has damaged; the shards stay as they are.
///
/// Throws as `mendJournal` of two copies does, `.copiesDiffer` where the shards are of another history. What neither
/// has is among the report's damages.
package func mendJournal(
  _ device: any JournalDevice, from shards: ShardFolders, options: JournalOptions = JournalOptions()
) throws(JournalError) -> MendReport {
  let pair = try hosted { () throws(HostError) in try readingPair(device, shards) }
  return try mend(pair, sides: 0..<1, options)
}

private func mend(
  _ pair: MirroredDevice, sides: Range<Int>, _ options: JournalOptions
) throws(JournalError) -> MendReport {
  if let missing = pair.openFailure { throw .host(missing) }
  guard try hosted({ () throws(HostError) in try pair.lockFolder(wait: options.lockWait) }) else {
    throw .locked(folder: pair.folder, waited: options.lockWait)
  }
  defer { pair.unlockFolder() }
  return try mendLocked(pair, sides, options)
}

private func mendLocked(
  _ pair: MirroredDevice, _ sides: Range<Int>, _ options: JournalOptions
) throws(JournalError) -> MendReport {
  pair.readsBehind = true
  let alone = try pair.aloneSide()
  let source = RecordSource(device: pair, identity: pair.identity, stride: pair.stride, rules: options.rules)
  let catalog = try SegmentCatalog(source, lockWait: options.lockWait)
  defer { source.files.closeAll() }
  source.believesFirstCopy = pair.isOneBehind
  for segment in catalog.segments.suffix(syncedSegmentCount) {
    let file = try source.files.file(segment.name)
    try hosted { () throws(HostError) in try pair.sync(file) }
  }
  source.forget()
  var scan = JournalScan(source, catalog, depth: .everything, floor: options.durableFloor)
  try scan.run()
  if let alone, sides.count == 2, let behind = pair.sides[1 - alone] {
    // What was acknowledged to the other one by then is here. Otherwise somebody went on with an empty disk.
    let most = try verifyJournal(device: behind, identity: pair.identity, stride: pair.stride, depth: .tail)
    guard most.durableThrough <= scan.position else {
      throw .copiesDiffer(
        folder: pair.folder, mirror: pair.mirror,
        reason: "the one that went on alone ends at record \(scan.position), and the other one holds acknowledged ones "
          + "up to \(most.durableThrough)")
    }
  }
  var levelling = CopyLevelling(pair, source, scan, depth: .everything)
  try levelling.compare()
  var report = MendReport(copies: [], damages: scan.damages)
  for side in sides {
    try levelling.write(side)
    let removed = try levelling.removeStrays(side, isBehind: sides.count == 2 && alone == 1 - side)
    let findings = levelling.findings[side]
    report.copies.append(
      MendReport.Copy(
        folder: pair.folders[side], wasBehind: sides.count == 2 && alone == 1 - side,
        segments: findings.segments.map(\.entry.name),
        records: findings.segments.reduce(0) { $0 + $1.records }, removed: removed))
  }
  if let alone, sides.count == 2, let device = pair.sides[alone] {
    // Only now: until both are whole, what says so keeps the one that is not from being believed.
    try hosted { () throws(HostError) in
      try device.unlink(FileName.aloneName)
      try device.syncFolder()
    }
  }
  return report
}

extension CopyLevelling {
  /// Removes what nobody needs: files that were being made, and of a copy that is behind those that the other one does
  /// not have. Returns the latter's names.
  func removeStrays(_ side: Int, isBehind: Bool) throws(JournalError) -> [String] {
    guard let device = copies[side]?.device else { preconditionFailure("\(pair.folders[side]) is not open") }
    var removed: [String] = []
    let known = Set(
      scan.catalog.decisions.map(\.name) + scan.catalog.losses.map { FileName.lossName($0.first..<$0.end) })
    try hosted { () throws(HostError) in
      for name in try device.names() {
        switch FileName(name) {
        case .segment, .loss:
          guard isBehind, !known.contains(name) else { continue }
          removed.append(name)
        case .unfinished, .mending: break
        case .retired, .alone, .through, .foreign: continue
        }
        try device.unlink(name)
      }
      try device.syncFolder()
    }
    return removed
  }
}
