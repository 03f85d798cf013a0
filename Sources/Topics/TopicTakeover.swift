package import Journal
package import Rings

/// Taking a topic over from a writer that died. Whoever does it knows that the writer is dead: it was reaped, or the
/// supervisor that would have restarted it is gone.
///
/// ```
/// 1 settle   the lock of the journal's data is free: no write that was under way can land any more
/// 2 fence    the next epoch is granted, so that a commit of the dead writer fails; its claims become void
/// 3 recover  the journal is recovered by the next writer, and what was committed becomes durable and is published
/// ```
///
/// The supervisor that starts a stage again fences its topics, and the stage's own `TopicWriter` does the rest, for the
/// device waits for the lock. It is granted one epoch more, and leaves out the one of the fence: a process cannot tell
/// whether an epoch that it finds in the ring is its own, or that of a process which was started before it and died. Of
/// 2^18 epochs, a stage that dies ten times a minute for a week uses three quarters. Where no stage follows, `drain`
/// does all of it; where the ring is gone, `end` says where the next one begins.
package enum TopicTakeover {
  /// Ends the epoch of the writer that died, and voids what it was filling. Its successor is granted the next one.
  package static func fence(_ ring: Ring) throws(RingError) {
    let epoch = try ring.grantEpoch()
    precondition(epoch > 0, "\(ring.name): epoch \(epoch) follows none")
    try ring.voidClaims(ofEpoch: epoch - 1)
  }

  /// How long a full disk is waited for where a ring is about to go: its memory can stay instead.
  private static let fullLimit: Duration = .seconds(1)

  /// Makes durable what the dead writer of `ring` had committed, before the ring goes; returns how many events it was.
  /// Waits for the journal in `folder` up to `limit`. Throws `.full` where the disk has no room for them.
  package static func drain(_ ring: Ring, folder: String, mirror: String? = nil, wait limit: Duration) throws -> Int {
    let specification = ring.specification
    let device = try openJournalDevice(
      folder: folder, mirror: mirror, identity: specification.identity, stride: specification.slotStride)
    guard try device.lockFolder(wait: limit) else { throw JournalError.locked(folder: folder, waited: limit) }
    device.unlockFolder()
    let (committed, published) = (ring.progress.committed, ring.progress.published)
    guard committed > published else { return 0 }
    try fence(ring)
    let writer = try TopicWriter(ring: ring, folder: folder, mirror: mirror, room: .init(limit: fullLimit))
    try writer.flush()
    return Int(clamping: writer.nextSequence - min(published, writer.nextSequence))
  }

  /// Recovers the journal in `folder`, whose last writer had `epoch`, and gives where a new ring goes on. Sequences
  /// below `durableFloor` are known to have been durable.
  package static func end(
    ofJournalIn folder: String, mirror: String? = nil, _ specification: RingSpecification, after epoch: UInt64,
    durableFloor: UInt64
  ) throws -> JournalWriter.State {
    var options = TopicWriter.options(specification)
    options.durableFloor = durableFloor
    let journal = try JournalWriter(
      device: openJournalDevice(
        folder: folder, mirror: mirror, identity: specification.identity, stride: specification.slotStride),
      identity: specification.identity, stride: specification.slotStride, epoch: epoch + 1, options: options)
    let state = journal.state
    try journal.close()
    return state
  }
}
