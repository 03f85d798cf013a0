internal import Glibc
internal import Host

// Segments: made whole before they get their name, and left for good when a device failed in them.
extension JournalWriter {
  /// Sees to a segment with room for the next record to be submitted; false while the disk is full.
  func ensureSegment() throws(JournalError) -> Bool {
    if let segment, nextToSubmit < segment.capacityEnd { return true }
    if alarm == .journalFull, !retryDeadline.hasPassed { return false }
    let entry = entries[Int(nextToSubmit) & (Self.entryLimit - 1)]
    // Each turn makes a segment, finds the disk full, or counts a failure, of which there is one at most.
    while true {
      do throws(JournalError) {
        let made = try makeSegment(
          first: nextToSubmit, chain: entry.chain, epoch: entry.epoch, probes: failureCount > 0)
        if let segment { closingFiles.append(segment.file) }
        segment = made
        alarm = .good
        return true
      } catch .host(.system(_, _, let errno)) where errno.isNoSpace {
        waitForRoom()
        return false
      } catch .host(let error) {
        try countFailure("\(error)")
      }
    }
  }

  /// The segment that a writer begins with; nil while the disk is full.
  func firstSegment(first: UInt64, chain: UInt64) throws(JournalError) -> Segment? {
    // Its first records may be ones that a predecessor had committed.
    let epoch = options.announcesRecovery ? state.epoch : recoveredEpoch
    do throws(JournalError) {
      return try makeSegment(first: first, chain: chain, epoch: epoch, probes: false)
    } catch {
      guard case .host(.system(_, _, let errno)) = error, errno.isNoSpace else { throw error }
      waitForRoom()
      return nil
    }
  }

  /// Looks for room again after a while.
  private func waitForRoom() {
    alarm = .journalFull
    retryDeadline = Deadline(after: options.fullRetryDelay)
  }

  /// A new segment, durable with its name, for records of `epoch` and later ones. With `probes` its first page is read
  /// back: the device failed before.
  private func makeSegment(first: UInt64, chain: UInt64, epoch: UInt64, probes: Bool) throws(JournalError) -> Segment {
    segmentNumber += 1
    precondition(
      segment.map { $0.number < segmentNumber } ?? true,
      "segment \(segmentNumber) would follow \(segment?.number ?? 0)")
    let copy = copies[first] ?? 0
    let page = ControlPage(
      kind: .segment, identity: identity, stride: stride, first: first,
      end: UInt64(Segment.byteCount(options, stride: stride)), chain: chain, epoch: epoch,
      number: segmentNumber, durableThrough: min(state.durableThrough, first))
    precondition(
      Segment.isPossible(page, identity: identity, stride: stride, first: first),
      "no reader would take the segment of \(page)")
    let name = FileName.segmentName(first: first, copy: copy)
    let temporary = name + FileName.unfinishedSuffix
    return try hosted { () throws(HostError) in
      // What an attempt left that failed: on a full disk it may be what fills it.
      for name in try device.names() where FileName(name) == .unfinished { try device.unlink(name) }
      let file = try device.create(temporary, byteCount: Int(page.end))
      do throws(HostError) {
        try write(page, to: file, probes: probes)
        copies[first] = copy + 1
        try device.rename(temporary, to: name)
        if options.rules.syncsFolder { try device.syncFolder() }
      } catch {
        device.close(file)
        throw error
      }
      return Segment(name: name, file: file, page: page, fileByteCount: Int(page.end))
    }
  }

  private func write(_ page: ControlPage, to file: JournalFile, probes: Bool) throws(HostError) {
    let memory = AlignedMemory(byteCount: ControlPage.byteCount)
    page.encode(into: memory.bytes)
    precondition(ControlPage(UnsafeRawBufferPointer(memory.bytes)) == page, "a page does not read back as \(page)")
    try device.write(file, UnsafeRawBufferPointer(memory.bytes), at: 0)
    try device.sync(file)
    guard probes else { return }
    memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    guard try device.read(file, into: memory.bytes, at: 0) == ControlPage.byteCount,
      ControlPage(UnsafeRawBufferPointer(memory.bytes)) == page
    else { throw .system(call: "pread", subject: device.folder, errno: Errno(rawValue: EIO)) }
  }

  /// The device failed in the current segment: whatever else is in flight is waited for and not believed, the file is
  /// never synced again, and every record that was not acknowledged is written anew, from its slot, to a new segment.
  func abandonSegment(_ errno: Errno) throws(JournalError) {
    precondition(!flights.isEmpty, "\(errno) without a batch in flight")
    if options.rules.abandonsAfterFailedSync || !isSyncFailure {
      if !errno.isNoSpace { try countFailure("\(errno) in \(segment?.name ?? "a segment")") }
      try drain()
      var files = Set(flights.map(\.batch.file)).union(closingFiles)
      if let segment { files.insert(segment.file) }
      files.forEach(device.close)
      closingFiles.removeAll()
      segment = nil
      if errno.isNoSpace { waitForRoom() }
      idleBatches += flights.map(\.batch)
      flights.removeAll()
      precondition(
        idleBatches.count == WriteBatch.inFlightLimit, "\(idleBatches.count) batches are idle, none in flight")
      nextToSubmit = state.durableThrough
      waitingByteCount = (nextToSubmit..<state.nextSequence).reduce(0) {
        $0 + entries[Int($1) & (Self.entryLimit - 1)].bytes.count
      }
      waitingDeadline = Deadline(after: .zero)
    } else {
      flights[0].batch.prepareAgain()
      do throws(HostError) { try device.submit(flights[0].batch) } catch { throw stop("\(error)") }
    }
  }

  private var isSyncFailure: Bool {
    flights.first.map { $0.batch.syncResult < 0 && $0.batch.syncResult != -ECANCELED } ?? false
  }

  /// Waits until nothing is in flight.
  private func drain() throws(JournalError) {
    let deadline = Deadline(after: options.stallLimit)
    while flights.contains(where: { !$0.batch.isComplete }) {
      do throws(HostError) { _ = try device.reap(wait: deadline.remaining) } catch { throw stop("\(error)") }
      if deadline.hasPassed, flights.contains(where: { !$0.batch.isComplete }) {
        throw stop("the device does not end its writes")
      }
    }
  }

  private func countFailure(_ reason: String) throws(JournalError) {
    failureCount += 1
    if failureCount > 1 { throw stop("the device failed twice, the last time with: \(reason)") }
  }

  /// Nothing is taken or acknowledged from here on.
  func stop(_ reason: String) -> JournalError {
    let error = JournalError.failed(folder: device.folder, reason: reason)
    failure = error
    return error
  }
}

extension Deadline {
  /// Sleeps until then, at most so long.
  func sleep(atMost limit: Duration) {
    let time = min(remaining, limit)
    usleep(UInt32(clamping: time.components.seconds * 1_000_000 + time.components.attoseconds / 1_000_000_000_000))
  }
}
