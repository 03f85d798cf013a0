internal import CLinux

/// Writes that the kernel carries out while this process goes on: a queue of io_uring (`<liburing.h>`).
///
/// Entries are prepared and then submitted together; each ends with a completion that carries its tag. The memory of a
/// write has to stay until then. Use from one thread at a time.
package final class IOQueue {
  /// How an entry is tied to the next one of the same submission.
  package enum Link: Sendable {
    /// It is not.
    case none
    /// The next one starts when this one succeeded whole (IOSQE_IO_LINK), and ends with ECANCELED otherwise.
    case onSuccess
    /// The next one starts when this one ended, however it ended (IOSQE_IO_HARDLINK). A sync after such a write can
    /// succeed though the write failed, so nothing durable may depend on it.
    case always
  }

  private let queue: OpaquePointer
  private let completions: UnsafeMutableBufferPointer<clinux_uring_completion>

  /// A queue of at least `entries` entries. Throws `.system` where the kernel refuses: EPERM and ENOSYS mean that
  /// io_uring is not allowed.
  package init(entries: Int) throws(HostError) {
    precondition((1...4096).contains(entries), "a queue of \(entries) entries")
    var queue: OpaquePointer?
    let error = clinux_uring_open(&queue, UInt32(entries))
    guard error == 0, let queue else {
      throw .system(call: "io_uring_queue_init", subject: "io_uring", errno: Errno(rawValue: -error))
    }
    self.queue = queue
    completions = .allocate(capacity: 2 * entries)
  }

  deinit {
    clinux_uring_close(queue)
    completions.deallocate()
  }

  /// How many entries may be prepared before the next submission.
  package var space: Int { Int(clinux_uring_space(queue)) }

  /// Pins memory, once for a queue, so that writes from it cost less; a piece holds at most 1 GiB. Throws `.system`
  /// with ENOMEM where RLIMIT_MEMLOCK forbids it.
  package func register(_ pieces: [UnsafeRawBufferPointer]) throws(HostError) {
    let addresses = pieces.map { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    let error = clinux_uring_register(queue, addresses, pieces.map(\.count), UInt32(pieces.count))
    guard error == 0 else {
      throw .system(call: "io_uring_register_buffers", subject: "io_uring", errno: Errno(rawValue: -error))
    }
  }

  /// Prepares a write to a file. `buffer` is the number of the registered piece that holds all the bytes, nil for other
  /// memory.
  package func prepareWrite(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int, buffer: Int?, link: Link, tag: UInt64
  ) {
    precondition(space > 0 && bytes.count <= Int(Int32.max) && offset >= 0, "a write of \(bytes.count) B at \(offset)")
    let linkBits =
      switch link {
      case .none: clinux_uring_unlinked
      case .onSuccess: clinux_uring_link
      case .always: clinux_uring_hardlink
      }
    clinux_uring_write(
      queue, descriptor, bytes.baseAddress, UInt32(bytes.count), UInt64(offset), Int32(buffer ?? -1), Int32(linkBits),
      tag)
  }

  /// Prepares an fdatasync(2).
  package func prepareDataSync(_ descriptor: Int32, tag: UInt64) {
    precondition(space > 0, "a full queue")
    clinux_uring_datasync(queue, descriptor, tag)
  }

  /// Submits everything that was prepared in one io_uring_enter(2), and returns how many entries the kernel took. Those
  /// that it left are submitted by the next call, and are no longer tied to those that it took.
  package func submit() throws(HostError) -> Int {
    let count = clinux_uring_submit(queue)
    guard count >= 0 else {
      throw .system(call: "io_uring_submit", subject: "io_uring", errno: Errno(rawValue: -count))
    }
    return Int(count)
  }

  /// Calls `body` with tag and result (a count, or −errno) of each entry that ended; waits up to `wait` for the first
  /// of them. Returns how many there were.
  package func reap(wait: Duration, _ body: (_ tag: UInt64, _ result: Int32) -> Void) throws(HostError) -> Int {
    let count = clinux_uring_reap(
      queue, completions.baseAddress, UInt32(completions.count), Deadline.nanoseconds(of: wait))
    guard count >= 0 else {
      throw .system(call: "io_uring_wait_cqe", subject: "io_uring", errno: Errno(rawValue: -count))
    }
    for completion in completions.prefix(Int(count)) { body(completion.tag, completion.result) }
    return Int(count)
  }
}
