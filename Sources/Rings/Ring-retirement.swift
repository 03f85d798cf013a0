internal import Synchronization

// A required reader that cannot live is taken out of its ring, so that nothing waits for it, and awaited again later.
extension Ring {
  /// Takes required reader `reader` out of the ring: it holds the writer no more, and whoever takes its line is refused
  /// until `readmit`. To be called when the reader's process was reaped. Twice is once.
  package func retire(reader: Int) throws(RingError) {
    let seen = try owned(reader)
    guard seen.readerState != .finished else { return }
    try move(reader, from: seen, to: TaggedWord(seen.sequence, seen.epoch + 1, .finished))
    memory.wakeWriter()
  }

  /// Awaits a reader again that was retired, as before it was ever attached. What was published meanwhile counts as
  /// given back and is read elsewhere; with `keepingAll`, for a ring that holds every event of its topic, nothing was
  /// given back. To be called when the topic has ended: its writer may have used every slot again.
  package func readmit(reader: Int, keepingAll: Bool) throws(RingError) {
    let seen = try owned(reader)
    guard seen.readerState == .finished else {
      throw .refused(ring: name, reason: "reader \(reader) was not retired")
    }
    let published = memory.published.pointee.load(ordering: .acquiring)
    let lease = keepingAll ? seen.sequence : published
    // The cursor first, as everywhere. Nobody else moves it: the line is nobody's.
    if !keepingAll {
      memory.cursor(reader).pointee.store(TaggedWord(published, seen.epoch, state: 0).rawValue, ordering: .relaxed)
    }
    // SYNC readmit → take: the cursor is stored before the word that gives the line away.
    try move(reader, from: seen, to: TaggedWord(lease, seen.epoch, .awaited))
  }

  /// The lease of a line that is in use and has an epoch left.
  private func owned(_ reader: Int) throws(RingError) -> TaggedWord {
    guard (0..<specification.requiredReaders).contains(reader) else {
      throw .refused(ring: name, reason: "it has \(specification.requiredReaders) readers and no reader \(reader)")
    }
    let seen = TaggedWord(rawValue: memory.lease(reader).pointee.load(ordering: .acquiring))
    guard seen.readerState != .unused else {
      throw .damaged(ring: name, sequence: seen.sequence, reason: "the line of reader \(reader) is not in use")
    }
    guard seen.epoch < TaggedWord.epochLimit - 1 else {
      throw .exhausted(ring: name, what: "epochs for reader \(reader)")
    }
    return seen
  }

  private func move(_ reader: Int, from old: TaggedWord, to new: TaggedWord) throws(RingError) {
    // SYNC retire → release: a reader that lives all the same finds another word, and is fenced.
    let (isMine, _) = memory.lease(reader).pointee.compareExchange(
      expected: old.rawValue, desired: new.rawValue, ordering: .sequentiallyConsistent)
    guard isMine else { throw .refused(ring: name, reason: "reader \(reader) lives") }
  }
}
