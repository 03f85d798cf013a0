internal import CLinux
internal import Glibc
internal import Host

/// The device without a journal: O_DIRECT writes of whole blocks into a preallocated file, the most that a journal
/// could reach.
struct RawDevice {
  /// Where the file goes; it is removed afterwards.
  let path: String
  /// What is written, again and again.
  let memory: UnsafeRawBufferPointer
  /// Bytes of a write: a batch of the journal.
  let block: Int
  /// Bytes in all, a multiple of the block.
  let total: Int

  private static let inFlightLimit = 4
  private static let writeLimit: Duration = .seconds(30)

  /// Bytes a second of all writes and one sync after them; with `syncingBlocks` of writes that are each followed by a
  /// linked sync, two such pairs at a time, as the journal has.
  func rate(syncingBlocks: Bool) throws(HostError) -> Double {
    precondition(total % block == 0 && memory.count >= block && block % 4096 == 0, "\(total) B in blocks of \(block) B")
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | clinux_direct_flag(), 0o600)
    guard descriptor >= 0 else { throw failure("open", errno) }
    defer {
      close(descriptor)
      unlink(path)
    }
    let error = posix_fallocate(descriptor, 0, total)
    guard error == 0 else { throw failure("posix_fallocate", error) }
    guard fsync(descriptor) == 0 else { throw failure("fsync", errno) }
    let seconds =
      switch Machine.ioUring {
      case .available: try queued(descriptor, syncingBlocks: syncingBlocks)
      case .refused: try plain(descriptor, syncingBlocks: syncingBlocks)
      }
    return Double(total) / seconds
  }

  private func queued(_ descriptor: Int32, syncingBlocks: Bool) throws(HostError) -> Double {
    let queue = try IOQueue(entries: 2 * Self.inFlightLimit)
    var buffer: Int? = 0
    // As the journal does: where RLIMIT_MEMLOCK forbids it, writes come from ordinary memory.
    do throws(HostError) { try queue.register([memory]) } catch { buffer = nil }
    let (count, limit) = (total / block, syncingBlocks ? 2 : Self.inFlightLimit)
    var (submitted, ended) = (0, 0)
    let start = Machine.monotonicNanoseconds
    while ended < count {
      while submitted < count, submitted - ended < limit {
        queue.prepareWrite(
          piece(submitted), to: descriptor, at: submitted * block, buffer: buffer,
          link: syncingBlocks ? .onSuccess : .none, tag: 0)
        if syncingBlocks { queue.prepareDataSync(descriptor, tag: 1) }
        _ = try queue.submit()
        submitted += 1
      }
      var bad: Int32?
      let reaped = try queue.reap(wait: Self.writeLimit) { tag, result in
        if tag == 0, Int(result) != block { bad = result }
        if tag == 1, result != 0 { bad = result }
        if tag == (syncingBlocks ? 1 : 0) { ended += 1 }
      }
      if let bad { throw failure("write", bad < 0 ? -bad : EIO) }
      guard reaped > 0 else { throw failure("write", ETIMEDOUT) }
    }
    return try finish(descriptor, start, isSynced: syncingBlocks)
  }

  private func plain(_ descriptor: Int32, syncingBlocks: Bool) throws(HostError) -> Double {
    let start = Machine.monotonicNanoseconds
    for index in 0..<total / block {
      guard pwrite(descriptor, piece(index).baseAddress, block, off_t(index * block)) == block else {
        throw failure("pwrite", errno)
      }
      if syncingBlocks, fdatasync(descriptor) != 0 { throw failure("fdatasync", errno) }
    }
    return try finish(descriptor, start, isSynced: syncingBlocks)
  }

  private func finish(_ descriptor: Int32, _ start: UInt64, isSynced: Bool) throws(HostError) -> Double {
    if !isSynced, fdatasync(descriptor) != 0 { throw failure("fdatasync", errno) }
    return Double(Machine.monotonicNanoseconds - start) / 1e9
  }

  private func piece(_ index: Int) -> UnsafeRawBufferPointer {
    let first = index % (memory.count / block) * block
    return UnsafeRawBufferPointer(rebasing: memory[first..<first + block])
  }

  private func failure(_ call: String, _ errno: Int32) -> HostError {
    .system(call: call, subject: path, errno: Errno(rawValue: errno))
  }
}
