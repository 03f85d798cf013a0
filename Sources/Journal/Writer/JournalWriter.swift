internal import CLinux
internal import Host
package import Rings

/// The one writer of a journal. Use from one thread at a time.
///
///     append ─► waiting ─► batch: writes, then a sync ─► acknowledged: durableThrough moves on
///                 4 MiB, 1 ms or an idle device     at most two in flight, acknowledged in their order
///
/// Records are written from where they lie, so a slot's memory stays as it is until `durableThrough` is past it.
package final class JournalWriter {
  /// Whether the journal takes records.
  package enum Alarm: Sendable, Equatable {
    /// It does.
    case good
    /// The disk is full. What was handed over is kept; writing goes on by itself when there is room.
    case journalFull
  }

  /// How far the journal is.
  package struct State: Sendable, Equatable {
    /// The sequence of the next record.
    package var nextSequence: UInt64
    /// The chain of the next record.
    package var chain: UInt64
    /// All sequences below it are durable.
    package var durableThrough: UInt64
    /// This writer's incarnation.
    package var epoch: UInt64
  }

  /// How far the journal is.
  package internal(set) var state: State
  /// Whether the journal takes records.
  package internal(set) var alarm = Alarm.good
  /// What recovery found when this writer took over.
  package let recovery: RecoveryReport
  /// Whose records these are.
  package let identity: RingIdentity
  /// Bytes from record to record: a slot's.
  package let stride: Int

  let device: any JournalDevice
  let options: JournalOptions
  let source: RecordSource
  /// The epoch of the last record that recovery found. Later ones may lie behind it, in what was cut off.
  let recoveredEpoch: UInt64
  /// How far the journal is, as the page of its last writer that closed it says.
  private let statedThrough: UInt64
  /// Where the next records go; nil while there is no room for a segment.
  var segment: Segment?
  var segmentNumber: UInt64
  /// How many segments begin with a sequence.
  var copies: [UInt64: Int]
  /// Records that were not acknowledged, at their sequence modulo the size.
  var entries: [Entry]
  /// The first record that is in no batch, and how many bytes wait.
  var nextToSubmit: UInt64
  var waitingByteCount = 0
  var waitingDeadline = Deadline(after: .zero)
  /// When a batch that is not full may follow the last one.
  var spacingDeadline = Deadline(after: .zero)
  /// Batches in flight, the oldest first.
  var flights: [Flight] = []
  var idleBatches: [WriteBatch]
  /// Files of earlier segments that batches are still in flight to.
  var closingFiles: [JournalFile] = []
  var failureCount = 0
  var failure: JournalError?
  var retryDeadline = Deadline(after: .zero)
  private let recoveredSlot = AlignedMemory(byteCount: EventHeader.pageByteCount)

  /// A record that was handed over.
  struct Entry {
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    var chain: UInt64 = 0
    var epoch: UInt64 = 0
  }

  /// A batch with the records it holds.
  struct Flight {
    let batch: WriteBatch
    let range: Range<UInt64>
    var attempts = 0
    let deadline: Deadline
  }

  /// The most records of a batch, and of those not acknowledged.
  static let batchRecordLimit = 1024
  static let entryLimit = 4096

  /// Opens the journal of `identity`, or makes it: takes the locks, waiting for what a dead writer has in flight,
  /// recovers, and appends a `recovered` event with the new epoch, which is durable when this returns. A journal
  /// without records gets none.
  ///
  /// `stride` is a slot's: 4096 bytes and the payload's capacity, padded to 4096. `epoch` is higher than any before.
  /// Where the disk has no room for a segment the writer takes records all the same; see `alarm`. Throws `.locked`,
  /// `.corrupted`, `.fenced`, and `.host` where the device fails.
  package init(
    device: any JournalDevice, identity: RingIdentity, stride: Int, epoch: UInt64,
    options: JournalOptions = JournalOptions()
  ) throws(JournalError) {
    precondition(epoch < TaggedWord.epochLimit, "epoch \(epoch)")
    self.device = device
    self.identity = identity
    self.stride = stride
    self.options = options
    source = RecordSource(device: device, identity: identity, stride: stride, rules: options.rules)
    let recovered = try recover(source, options)
    recovery = recovered.report
    recoveredEpoch = recovered.epoch
    precondition(recovery.isIntact, "a damaged journal was opened: \(recovery.damages)")
    segment = recovered.openSegment
    segmentNumber = recovered.segmentNumber
    copies = recovered.copies
    statedThrough = recovered.statedThrough
    entries = Array(repeating: Entry(), count: Self.entryLimit)
    idleBatches = (0..<WriteBatch.inFlightLimit).map { _ in WriteBatch() }
    let next = recovery.nextSequence
    state = State(nextSequence: next, chain: recovered.chain, durableThrough: next, epoch: epoch)
    nextToSubmit = next
    precondition(
      segment.map { ($0.first..<$0.capacityEnd).contains(next) } ?? true,
      "record \(next) has no place in the segment that recovery left open, \(segment?.name ?? "")")
    if options.rules.checksEpoch, !recovered.isBrandNew, epoch <= recovery.epoch {
      if let segment { device.close(segment.file) }
      device.unlockFolder()
      throw .fenced(folder: device.folder, epoch: epoch, found: recovery.epoch)
    }
    if segment == nil { segment = try firstSegment(first: next, chain: recovered.chain) }
    if next > 0, options.announcesRecovery { try appendRecovered() }
    precondition(state.durableThrough == state.nextSequence, "a journal opens with what is not durable: \(state)")
  }

  /// Hands over the committed slot of the next sequence: `stride` bytes at an address that is a multiple of 4096. They
  /// stay unchanged until `state.durableThrough` is past the record. Waits for the disk only when two batches are in
  /// flight and a third is complete.
  ///
  /// Throws `.refused` for a slot that is not the next record of this writer, `.full` or `.stalled` if the record was
  /// not taken and the call may be repeated, `.failed` when the journal has stopped.
  package func append(_ slot: UnsafeRawBufferPointer) throws(JournalError) {
    if let failure { throw failure }
    precondition(slot.count == stride, "a slot of \(slot.count) B in a journal of \(stride) B")
    precondition(UInt(bitPattern: slot.baseAddress) % 4096 == 0, "a slot at \(String(describing: slot.baseAddress))")
    let header: EventHeader
    do throws(EventHeader.Fault) { header = try EventHeader(validating: slot) } catch {
      throw .refused(folder: device.folder, reason: "slot \(state.nextSequence): \(error)")
    }
    try check(header)
    try makeRoom()
    take(UnsafeRawBufferPointer(rebasing: slot.prefix(Self.usedByteCount(header))), header)
    if waitingByteCount >= options.batchByteCount { try submitDue() }
  }

  /// Moves things on: takes completions, submits what is due, looks for room on a disk that was full. Waits up to
  /// `wait` for a batch in flight to complete, or for the next one to be due. Returns `state.durableThrough`.
  ///
  /// Throws `.failed` when the device failed twice; a full disk is not an error here, see `alarm`.
  @discardableResult
  package func poll(wait: Duration = .zero) throws(JournalError) -> UInt64 {
    if let failure { throw failure }
    let before = state.durableThrough
    try reap(wait: .zero)
    try submitDue()
    if state.durableThrough == before, wait > .zero {
      if !flights.isEmpty {
        try reap(wait: wait)
      } else if nextToSubmit < state.nextSequence {
        (alarm == .journalFull ? retryDeadline : spacingDeadline).sleep(atMost: wait)
      }
      try submitDue()
    }
    precondition(
      (before...nextToSubmit).contains(state.durableThrough) && nextToSubmit <= state.nextSequence,
      "durable through \(before), then \(state.durableThrough), of \(nextToSubmit) submitted and \(state.nextSequence)")
    return state.durableThrough
  }

  /// Writes what waits, and waits until all is durable. Throws `.full` or `.stalled` if it is not in time; it may be
  /// repeated.
  package func flush(timeout: Duration = .seconds(30)) throws(JournalError) {
    let deadline = Deadline(after: timeout)
    while state.durableThrough < state.nextSequence {
      (waitingDeadline, spacingDeadline) = (Deadline(after: .zero), Deadline(after: .zero))
      let before = state.durableThrough
      try poll(wait: min(deadline.remaining, .milliseconds(100)))
      if state.durableThrough == before, deadline.hasPassed {
        throw alarm == .journalFull ? .full(folder: device.folder) : .stalled(folder: device.folder, waited: timeout)
      }
      if flights.isEmpty { retryDeadline.sleep(atMost: deadline.remaining) }
    }
  }

  /// Flushes, closes the files and gives up the lock; the writer takes nothing afterwards.
  package func close(timeout: Duration = .seconds(30)) throws(JournalError) {
    try flush(timeout: timeout)
    precondition(
      flights.isEmpty && closingFiles.isEmpty && waitingByteCount == 0,
      "closed with \(flights.count) batches in flight, \(closingFiles.count) files and \(waitingByteCount) B waiting")
    if options.recordsEnd, state.durableThrough > statedThrough { recordEnd() }
    if let segment { device.close(segment.file) }
    segment = nil
    device.unlockFolder()
    failure = .refused(folder: device.folder, reason: "it is closed")
  }

  /// Vouches for every record. A disk that has no room for it, or fails, has all records all the same.
  private func recordEnd() {
    let page = ControlPage(
      kind: .through, identity: identity, stride: stride, first: 0, chain: state.chain, epoch: state.epoch,
      durableThrough: state.durableThrough)
    do throws(HostError) { try publishPage(page, as: FileName.throughName, device) } catch {
      // What is left of it under its other name is removed by who recovers next.
    }
  }

  private func check(_ header: EventHeader) throws(JournalError) {
    guard header.identity == identity, header.sequence == state.nextSequence, header.chain == state.chain,
      header.payloadByteCount <= stride - EventHeader.pageByteCount, header.durableThrough <= header.sequence
    else {
      throw .refused(
        folder: device.folder,
        reason: "record \(state.nextSequence) of \(identity) is next, not \(header.sequence) of \(header.identity)")
    }
    let isOwn =
      options.announcesRecovery ? header.epoch == state.epoch : (recoveredEpoch...state.epoch).contains(header.epoch)
    guard isOwn || !options.rules.checksEpoch else {
      throw .fenced(folder: device.folder, epoch: header.epoch, found: state.epoch)
    }
  }

  private func take(_ bytes: UnsafeRawBufferPointer, _ header: EventHeader) {
    precondition(
      header.sequence == state.nextSequence && header.chain == state.chain,
      "record \(header.sequence) of chain \(header.chain) does not follow \(state)")
    precondition(
      bytes.count <= stride && bytes.count % 4096 == 0, "record \(header.sequence) takes \(bytes.count) of \(stride) B")
    // Its entry is free: the record that had it is durable.
    precondition(state.nextSequence - state.durableThrough < Self.entryLimit, "no entry is left: \(state)")
    if nextToSubmit == state.nextSequence { waitingDeadline = Deadline(after: options.batchDelay) }
    entries[Int(state.nextSequence) & (Self.entryLimit - 1)] = Entry(
      bytes: bytes, chain: header.chain, epoch: header.epoch)
    waitingByteCount += bytes.count
    state.nextSequence += 1
    state.chain = header.chainAfter
  }

  /// The header page and the payload, padded: what of a slot is written.
  private static func usedByteCount(_ header: EventHeader) -> Int {
    EventHeader.pageByteCount + (header.payloadByteCount + 4095) / 4096 * 4096
  }

  /// The first event of a new epoch. Metadata: previous epoch u64, first sequence of the new one u64.
  private func appendRecovered() throws(JournalError) {
    let page = recoveredSlot.bytes
    page.initializeMemory(as: UInt8.self, repeating: 0)
    page.storeBytes(of: recovery.epoch, toByteOffset: EventHeader.byteCount, as: UInt64.self)
    page.storeBytes(of: state.nextSequence, toByteOffset: EventHeader.byteCount + 8, as: UInt64.self)
    let header = EventHeader(
      kind: .recovered, identity: identity, sequence: state.nextSequence, epoch: state.epoch,
      acquiredAt: Machine.realtimeNanoseconds,
      durableThrough: state.nextSequence, chain: state.chain, metadataByteCount: 16,
      payloadCRC32C: clinux_crc32c(0, page.baseAddress.map { $0 + EventHeader.byteCount }, 16))
    header.encode(into: page)
    take(UnsafeRawBufferPointer(page), header)
    try flush(timeout: options.stallLimit)
  }
}
