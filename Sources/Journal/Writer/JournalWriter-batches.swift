internal import Glibc
internal import Host

// Batches: formed from the records that wait, submitted, and acknowledged in their order.
extension JournalWriter {
  /// Waits until another record may be taken.
  func makeRoom() throws(JournalError) {
    // Each turn one batch completes, or the call ends.
    while flights.count == WriteBatch.inFlightLimit
      && waitingByteCount >= max(options.batchByteCount, options.batchByteCountMax)
    {
      let before = state.durableThrough
      try reap(wait: options.stallLimit)
      try submitDue()
      if state.durableThrough == before, flights.first?.deadline.hasPassed ?? false {
        throw .stalled(folder: device.folder, waited: options.stallLimit)
      }
    }
    if state.nextSequence - state.durableThrough >= Self.entryLimit {
      try poll(wait: options.batchDelay)
      guard state.nextSequence - state.durableThrough < Self.entryLimit else {
        throw alarm == .journalFull
          ? .full(folder: device.folder) : .stalled(folder: device.folder, waited: options.batchDelay)
      }
    }
  }

  /// Submits batches while there is one that is full or old enough, or the device is idle.
  func submitDue() throws(JournalError) {
    while nextToSubmit < state.nextSequence, flights.count < WriteBatch.inFlightLimit,
      waitingByteCount >= options.batchByteCount
        || ((flights.isEmpty || waitingDeadline.hasPassed)
          && (options.batchSpacing == .zero || spacingDeadline.hasPassed))
    {
      guard try ensureSegment(), let segment else { return }
      try submitBatch(to: segment)
    }
  }

  private func submitBatch(to segment: Segment) throws(JournalError) {
    precondition(
      (segment.first..<segment.capacityEnd).contains(nextToSubmit),
      "record \(nextToSubmit) has no place in \(segment.name)")
    guard let batch = idleBatches.popLast() else { preconditionFailure("no batch is idle") }
    batch.reset(file: segment.file)
    let first = nextToSubmit
    let limit = min(state.nextSequence, segment.capacityEnd, first + UInt64(Self.batchRecordLimit))
    var byteCount = 0
    while nextToSubmit < limit, byteCount < max(options.batchByteCount, options.batchByteCountMax),
      batch.writes.count < WriteBatch.writeLimit
    {
      let entry = entries[Int(nextToSubmit) & (Self.entryLimit - 1)]
      batch.add(entry.bytes, at: segment.offset(of: nextToSubmit))
      byteCount += entry.bytes.count
      nextToSubmit += 1
    }
    waitingByteCount -= byteCount
    flights.append(Flight(batch: batch, range: first..<nextToSubmit, deadline: Deadline(after: options.stallLimit)))
    if options.batchSpacing > .zero { spacingDeadline = Deadline(after: options.batchSpacing) }
    requireOrder()
    try submit(batch)
  }

  /// Batches in flight hold the records from the first that is not durable to the first that waits, without a gap; one
  /// that is let go before its turn leaves a gap.
  private func requireOrder() {
    var next = options.rules.acknowledgesInOrder ? state.durableThrough : flights.first?.range.lowerBound ?? 0
    for flight in flights {
      precondition(
        flight.range.lowerBound == next && !flight.range.isEmpty, "\(flight.range) is in flight behind \(next)")
      next = flight.range.upperBound
    }
    precondition(next == nextToSubmit, "\(nextToSubmit) is to be submitted behind \(next), of \(state)")
    // Every record has bytes, so that none waits exactly where no bytes do.
    precondition(
      (waitingByteCount == 0) == (nextToSubmit == state.nextSequence) && waitingByteCount >= 0,
      "\(waitingByteCount) B wait from record \(nextToSubmit) on, of \(state)")
  }

  private func submit(_ batch: WriteBatch) throws(JournalError) {
    do throws(HostError) { try device.submit(batch) } catch { throw stop("\(error)") }
  }

  /// Takes completions and acknowledges what they make durable.
  func reap(wait: Duration) throws(JournalError) {
    guard !flights.isEmpty else { return }
    do throws(HostError) { _ = try device.reap(wait: wait) } catch { throw stop("\(error)") }
    try settle()
  }

  private func settle() throws(JournalError) {
    if !options.rules.acknowledgesInOrder,
      let last = flights.lastIndex(where: { $0.batch.isComplete && outcome($0.batch) == .durable })
    {
      for _ in 0..<last { release(flights.removeFirst()) }
    }
    // Each turn takes one batch out of flight, or ends.
    while let flight = flights.first, flight.batch.isComplete {
      switch outcome(flight.batch) {
      case .durable:
        flights.removeFirst()
        acknowledge(flight)
      case .short: return try continueShort()
      case .cancelled: return try again(flight.batch)
      case .failed(let errno): return try abandonSegment(errno)
      }
    }
  }

  enum BatchOutcome: Equatable {
    case durable
    /// A write was short by whole blocks: the rest is still to be written.
    case short
    /// Nothing failed, and the batch is not durable: it is written again.
    case cancelled
    case failed(Errno)
  }

  private func outcome(_ batch: WriteBatch) -> BatchOutcome {
    precondition(batch.isComplete, "a batch in flight has no outcome")
    for write in batch.writes where Int(write.result) != write.bytes.count {
      if write.result < 0 {
        return Self.isPassing(-write.result) ? .cancelled : .failed(Errno(rawValue: -write.result))
      }
      if !options.rules.continuesShortWrites { return .durable }
      if !options.rules.linksSyncToWrites { break }
      return write.result > 0 && write.result % 4096 == 0 ? .short : .cancelled
    }
    if batch.syncResult == 0 || !options.rules.syncsBatches { return .durable }
    if batch.syncResult == -ECANCELED { return .cancelled }
    return .failed(Errno(rawValue: -batch.syncResult))
  }

  private static func isPassing(_ errno: Int32) -> Bool { [ECANCELED, EINTR, EAGAIN, EBUSY].contains(errno) }

  private func acknowledge(_ flight: Flight) {
    precondition(flight.range.upperBound > state.durableThrough, "records \(flight.range) are acknowledged already")
    precondition(
      flight.range.lowerBound == state.durableThrough || !options.rules.acknowledgesInOrder,
      "records \(flight.range) are acknowledged before \(state.durableThrough)")
    precondition(flight.range.upperBound <= nextToSubmit, "records \(flight.range) of \(nextToSubmit) submitted ones")
    state.durableThrough = flight.range.upperBound
    release(flight)
  }

  private func release(_ flight: Flight) {
    idleBatches.append(flight.batch)
    precondition(
      idleBatches.count + flights.count == WriteBatch.inFlightLimit,
      "\(idleBatches.count) batches are idle and \(flights.count) in flight")
    let busy = Set(flights.map(\.batch.file))
    closingFiles.removeAll { file in
      if busy.contains(file) { return false }
      device.close(file)
      return true
    }
  }

  /// Submits what a short write left, with a sync of its own.
  private func continueShort() throws(JournalError) {
    let batch = flights[0].batch
    guard let index = batch.writes.firstIndex(where: { Int($0.result) != $0.bytes.count }) else {
      preconditionFailure("nothing is short")
    }
    var rest = Array(batch.writes[index...])
    let done = Int(rest[0].result)
    precondition(done > 0 && done % 4096 == 0, "a write stopped at \(done) B, in the middle of a block")
    rest[0].bytes = UnsafeRawBufferPointer(rebasing: rest[0].bytes.dropFirst(done))
    rest[0].offset += done
    let file = batch.file
    batch.reset(file: file)
    for write in rest { batch.add(write.bytes, at: write.offset) }
    try again(batch)
  }

  /// Submits the first batch in flight once more, a limited number of times.
  private func again(_ batch: WriteBatch) throws(JournalError) {
    flights[0].attempts += 1
    guard flights[0].attempts <= Self.attemptLimit else { return try abandonSegment(Errno(rawValue: EIO)) }
    batch.prepareAgain()
    try submit(batch)
  }

  private static var attemptLimit: Int { 3 }
}

extension WriteBatch {
  /// Forgets the results.
  func prepareAgain() {
    isComplete = false
    syncResult = 0
    for index in writes.indices { writes[index].result = 0 }
  }
}
