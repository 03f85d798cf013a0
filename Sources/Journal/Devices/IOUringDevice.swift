internal import Glibc
package import Host
package import Rings

/// The device on io_uring: the writes of a batch and its sync are one submission, each linked to the next with
/// IOSQE_IO_LINK, so that a short or failed write cancels what follows.
package final class IOUringDevice: FileDevice, JournalDevice {
  /// "io_uring".
  package var mechanism: String { "io_uring" }
  private let queue: IOQueue
  private let link: IOQueue.Link
  private var registered: [UnsafeRawBufferPointer] = []
  private var slots: [Slot]

  /// A batch in flight.
  private struct Slot {
    var batch: WriteBatch?
    var outstanding = 0
    /// The kernel took the chain in parts, so that the sync may have run before the writes.
    var isSplit = false
  }

  /// Opens the folder, or makes it. Throws `.system` with ENOSYS or EPERM where io_uring is refused: `PwriteDevice`
  /// works there. Tests have chains tied otherwise than they must be, to show that this is noticed, or do without
  /// direct input and output, as on some file systems.
  package init(folder: String, link: IOQueue.Link = .onSuccess, isDirect: Bool = true) throws(HostError) {
    queue = try IOQueue(entries: 256)
    self.link = link
    slots = Array(repeating: Slot(), count: WriteBatch.inFlightLimit)
    try super.init(opening: folder, isDirect: isDirect)
  }

  /// Pins the memory, in pieces of 1 GiB; where RLIMIT_MEMLOCK forbids it, writing works without.
  package func register(_ memory: UnsafeRawBufferPointer) -> Bool {
    precondition(registered.isEmpty, "memory is registered once")
    let piece = 1 << 30
    let pieces = stride(from: 0, to: memory.count, by: piece).map { start in
      UnsafeRawBufferPointer(rebasing: memory[start..<min(start + piece, memory.count)])
    }
    do throws(HostError) {
      try queue.register(pieces)
    } catch {
      return false
    }
    registered = pieces
    return true
  }

  /// Submits the batch as one chain.
  package func submit(_ batch: WriteBatch) throws(HostError) {
    requireOpen(batch.file)
    batch.requireNew()
    guard let index = slots.firstIndex(where: { $0.batch == nil }) else {
      preconditionFailure("too many batches in flight")
    }
    // All entries of the chain or none: both batches together fit the queue, and every earlier entry was submitted.
    precondition(queue.space > batch.writes.count, "the queue has \(queue.space) entries left")
    slots[index] = Slot(batch: batch, outstanding: batch.writes.count + 1)
    let tag = UInt64(index) << 32
    for (number, write) in batch.writes.enumerated() {
      queue.prepareWrite(
        write.bytes, to: batch.file.id, at: write.offset, buffer: buffer(of: write.bytes), link: link,
        tag: tag | UInt64(number))
    }
    queue.prepareDataSync(batch.file.id, tag: tag | UInt64(batch.writes.count))
    try submitAll(batch.writes.count + 1, slot: index)
  }

  private func submitAll(_ count: Int, slot: Int) throws(HostError) {
    var taken = 0
    for attempt in 0..<100 where taken < count {
      if attempt > 0 { usleep(100) }
      do throws(HostError) {
        taken += try queue.submit()
      } catch .system(_, _, let errno) where [EAGAIN, EBUSY, EINTR].contains(errno.rawValue) {
        continue
      }
      if taken < count { slots[slot].isSplit = true }
    }
    guard taken == count else { throw .system(call: "io_uring_submit", subject: folder, errno: Errno(rawValue: EBUSY)) }
  }

  /// Takes completions off the queue.
  package func reap(wait: Duration) throws(HostError) -> Int {
    var completed = 0
    _ = try queue.reap(wait: wait) { tag, result in
      let index = Int(tag >> 32)
      guard let batch = slots[index].batch else { preconditionFailure("a completion without a batch") }
      let number = Int(tag & 0xFFFF_FFFF)
      precondition(number <= batch.writes.count, "a result of write \(number) of \(batch.writes.count)")
      if number < batch.writes.count { batch.writes[number].result = result } else { batch.syncResult = result }
      slots[index].outstanding -= 1
      guard slots[index].outstanding == 0 else { return }
      if slots[index].isSplit, batch.syncResult == 0 { batch.syncResult = -ECANCELED }
      batch.isComplete = true
      slots[index].batch = nil
      completed += 1
    }
    return completed
  }

  private func buffer(of bytes: UnsafeRawBufferPointer) -> Int? {
    guard let start = bytes.baseAddress else { return nil }
    return registered.firstIndex { piece in
      guard let first = piece.baseAddress else { return false }
      return first <= start && start + bytes.count <= first + piece.count
    }
  }
}

/// The fastest device that this machine offers for the folder, or with `mirror` for the two folders together.
package func openJournalDevice(
  folder: String, mirror: String?, identity: RingIdentity, stride: Int
) throws(HostError) -> any JournalDevice {
  guard let mirror else { return try openJournalDevice(folder: folder) }
  return try MirroredDevice([folder, mirror], identity: identity, stride: stride) { (folder) throws(HostError) in
    try openJournalDevice(folder: folder)
  }
}

/// The device of who only reads: the folder, or with `mirror` the two together.
package func openJournalReader(
  folder: String, mirror: String?, identity: RingIdentity, stride: Int
) throws(HostError) -> any JournalDevice {
  guard let mirror else { return try PwriteDevice(folder: folder) }
  return try MirroredDevice([folder, mirror], identity: identity, stride: stride) { (folder) throws(HostError) in
    try PwriteDevice(folder: folder)
  }
}

/// The device of who looks at a journal that may be gone, and makes nothing: the folder, or with `mirror` the two
/// together, of which one may be missing; a mirror without `hasMirror` counts as such. Where both are, it has no files.
package func openJournalReader(
  existing folder: String, mirror: String?, hasMirror: Bool, identity: RingIdentity, stride: Int
) throws(HostError) -> any JournalDevice {
  guard let mirror, hasMirror || access(folder, F_OK) == 0 else { return try PwriteDevice(reading: folder) }
  guard access(folder, F_OK) == 0 || access(mirror, F_OK) == 0 else { return try PwriteDevice(reading: folder) }
  return try MirroredDevice([folder, mirror], identity: identity, stride: stride) { (path) throws(HostError) in
    let device = try PwriteDevice(reading: path)
    guard device.isThere, path != mirror || hasMirror else {
      throw .system(call: "open", subject: path, errno: Errno(rawValue: ENOENT))
    }
    return device
  }
}

/// The fastest device that this machine offers for the folder.
package func openJournalDevice(folder: String) throws(HostError) -> any JournalDevice {
  do throws(HostError) {
    return try IOUringDevice(folder: folder)
  } catch .system("io_uring_queue_init", _, _) {
    return try PwriteDevice(folder: folder)
  }
}
