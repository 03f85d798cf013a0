internal import Host

extension JournalWriter {
  /// Removes segments that hold nothing but records below `sequence`, the oldest first; the two newest with records of
  /// the journal stay. What is kept is put on record, durably, before anything is removed, so that a missing segment is
  /// never taken for a removed one. Readers that have a segment open can read it.
  ///
  /// `sequence` is the lowest that any durable cursor or checkpoint needs. Returns the names that were removed.
  package func retire(below sequence: UInt64) throws(JournalError) -> [String] {
    if let failure { throw failure }
    let catalog = try SegmentCatalog(source, lockWait: nil)
    defer { source.files.closeAll() }
    let bound = min(sequence, state.durableThrough)
    guard let kept = catalog.extents.dropLast().last(where: { $0.range.lowerBound <= bound }), kept.index > 0 else {
      return []
    }
    let lowest = catalog.segments[kept.index]
    precondition(
      lowest.first <= min(sequence, state.durableThrough),
      "records from \(sequence) on are needed, and those below \(lowest.first) would be removed")
    if options.rules.recordsRetirement {
      let page = ControlPage(
        kind: .retired, identity: identity, stride: stride, first: lowest.first, chain: lowest.page.chain,
        epoch: state.epoch,
        number: lowest.number, durableThrough: state.durableThrough)
      try publish(page, as: FileName.retiredName, device)
    }
    let removed = catalog.segments.prefix(kept.index).map(\.name)
    for name in removed {
      // One by one: were the order of the removals left to the file system, a power cut could leave a hole.
      try hosted { () throws(HostError) in
        try device.unlink(name)
        try device.syncFolder()
      }
    }
    return removed
  }
}
