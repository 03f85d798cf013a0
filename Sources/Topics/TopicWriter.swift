import Host
package import Journal
package import Rings

/// The writer of a topic: claim → fill → commit → durable → published. A topic in memory is published at its commit.
package final class TopicWriter {
  /// What a writer does where its disk is full: it goes on as long as its ring has slots, then waits.
  package struct Room: Sendable {
    /// How long it waits: as long as people are given to make room.
    let limit: Duration
    /// Hears that there is no room, and that there is again, on the journal's thread.
    let changed: @Sendable (_ isFull: Bool) -> Void
    /// Hears, on any thread, that the journal goes on without one of its two copies.
    let lost: @Sendable (MirroredDevice.Loss) -> Void

    /// Waits for a week by default.
    package init(
      limit: Duration = .seconds(7 * 86_400), lost: @escaping @Sendable (MirroredDevice.Loss) -> Void = { _ in },
      changed: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
      (self.limit, self.lost, self.changed) = (limit, lost, changed)
    }
  }

  /// How often a writer that waits for room looks whether its journal still works.
  private static let pollInterval: Duration = .milliseconds(200)
  /// The most of a ring that is pinned for the kernel: a writer that is started again spends 25 ms and more on each GiB
  /// before its first event.
  private static let registeredByteCountMax = 512 << 20

  private let writer: RingWriter
  private let pump: JournalPump?
  private let specification: RingSpecification
  private let (folder, mirror): (String?, String?)
  private let room: Room
  private var history: TopicHistory?

  /// A topic in memory.
  package init(ring: Ring) throws {
    writer = try RingWriter(ring: ring, epoch: ring.grantEpoch())
    specification = ring.specification
    (pump, folder, mirror, room) = (nil, nil, nil, Room())
  }

  /// A durable topic with its journal in `folder`, and the same once more in `mirror`. Recovers the journal; events
  /// that a predecessor committed and could not make durable any more are made durable and published before this
  /// returns, or, where the disk is full, as soon as it has room: a detector does not wait for that.
  package init(ring: Ring, folder: String, mirror: String? = nil, room: Room = Room()) throws {
    let epoch = try ring.grantEpoch()
    writer = try RingWriter(ring: ring, epoch: epoch, publishing: .whenDurable)
    specification = ring.specification
    (self.folder, self.mirror, self.room) = (folder, mirror, room)
    let device = try openJournalDevice(
      folder: folder, mirror: mirror, identity: specification.identity, stride: specification.slotStride)
    (device as? MirroredDevice)?.onLoss = room.lost
    // Where the limit of locked memory forbids it, and beyond ours, records are written from ordinary memory.
    _ = device.register(UnsafeRawBufferPointer(rebasing: ring.mapping.prefix(Self.registeredByteCountMax)))
    var options = Self.options(specification)
    options.durableFloor = ring.progress.published
    let journal = try JournalWriter(
      device: device, identity: specification.identity, stride: specification.slotStride, epoch: epoch, options: options
    )
    guard (ring.progress.published...writer.nextSequence).contains(journal.state.nextSequence) else {
      throw JournalError.refused(
        folder: folder,
        reason:
          "it ends at record \(journal.state.nextSequence), and the ring has published \(ring.progress.published) of "
          + "\(writer.nextSequence)"
      )
    }
    let pump = try JournalPump(ring: writer, journal: journal, room: room)
    self.pump = pump
    try pump.flush(through: nextSequence, waitsForRoom: false)
  }

  deinit { pump?.stop() }

  /// How a topic's journal is written: its segments are as large as the ring's events, within limits, so that a small
  /// topic takes little disk.
  package static func options(_ specification: RingSpecification) -> JournalOptions {
    var options = JournalOptions()
    let whole = specification.slotStride * specification.slotCount + EventHeader.pageByteCount
    options.segmentByteCount = min(
      max(whole, 2 * specification.slotStride + EventHeader.pageByteCount, 1 << 20), 256 << 20)
    options.segmentByteCount = max(options.segmentByteCount, 2 * specification.slotStride + EventHeader.pageByteCount)
    precondition(
      options.segmentByteCount >= 2 * specification.slotStride + EventHeader.pageByteCount,
      "a segment of \(options.segmentByteCount) B has no room for two records of \(specification.slotStride) B")
    options.batchSpacing = .milliseconds(2)
    options.announcesRecovery = false
    options.recordsEnd = true
    return options
  }

  /// The sequence of the next event.
  package var nextSequence: UInt64 { writer.nextSequence }

  /// The first event of the present ring: those before are of the time before the run was resumed.
  package var firstSequence: UInt64 { specification.firstSequence }

  /// Events that reader `reader` has not applied yet.
  package func backlog(ofReader reader: Int) -> Int {
    Int(clamping: nextSequence - min(writer.ring.cursor(ofReader: reader) ?? nextSequence, nextSequence))
  }

  /// The event before `nextSequence`, nil for a new topic. To be asked before the first claim.
  package func lastEvent() throws -> (header: EventHeader, metadata: [UInt8])? {
    nextSequence > 0 ? try event(at: nextSequence - 1) : nil
  }

  /// An event that a predecessor wrote; nil where a topic in memory does not hold it.
  package func event(at sequence: UInt64) throws -> (header: EventHeader, metadata: [UInt8])? {
    precondition(sequence < nextSequence, "event \(sequence) is not written yet")
    // What had no room on the disk is in the ring, every event of it.
    guard let folder, sequence < writer.ring.progress.published else {
      return try RingObserver(ring: writer.ring).event(at: sequence)
    }
    let history = try history ?? TopicHistory(folder: folder, mirror: mirror, specification: specification)
    self.history = history
    let event = try history.event(at: sequence, published: sequence + 1)
    return (event.header, Array(event.metadata))
  }

  /// Whether what was committed waits for room on the disk.
  var isDiskFull: Bool { pump?.isDiskFull ?? false }

  /// The next slot, filled in place; see `RingWriter.claim`. Throws what stopped the journal, also while it waits. The
  /// time in which the disk is full counts against `Room.limit` only.
  package func claim(timeout: Duration) throws -> Claim {
    guard let claim = try claim(timeout: timeout, isStopped: { false }) else {
      preconditionFailure("nobody stops this claim")
    }
    return claim
  }

  /// The same, nil where `isStopped`, which is asked now and then while none is free, says so.
  package func claim(timeout: Duration, isStopped: () throws -> Bool) throws -> Claim? {
    try pump?.check()
    let first = min(timeout, Self.pollInterval)
    do throws(RingError) { return try writer.claim(timeout: first) } catch {
      guard error.isTimeout, timeout > first else { throw error }
    }
    // Only a writer that waits looks at the clock.
    var deadline = Deadline(after: timeout - first)
    let full = Deadline(after: room.limit)
    while true {
      try pump?.check()
      if try isStopped() { return nil }
      if isDiskFull, !full.hasPassed { deadline = Deadline(after: timeout) }
      do throws(RingError) {
        return try writer.claim(timeout: min(deadline.remaining, Self.pollInterval))
      } catch {
        guard error.isTimeout, !deadline.hasPassed else { throw error.after(timeout) }
      }
    }
  }

  /// Commits the claimed slot. It is published now, or as soon as it is durable.
  package func commit(_ claim: Claim, _ fields: EventFields) throws {
    try writer.commit(claim, fields)
    pump?.wake()
  }

  /// Publishes an event without pixels: `encode` fills the metadata and returns its length. Waits for room in the ring
  /// up to `timeout`, and for room on the disk as `claim`.
  package func append(kind: EventKind, timeout: Duration, _ encode: (UnsafeMutableRawBufferPointer) -> Int) throws {
    let claim = try claim(timeout: timeout)
    let used = encode(claim.metadata)
    try commit(claim, EventFields(kind: kind, acquiredAt: Machine.realtimeNanoseconds, metadataByteCount: used))
  }

  /// Waits until everything that was committed is published.
  package func flush() throws { try pump?.flush(through: nextSequence) }
}
