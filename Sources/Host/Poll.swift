internal import Glibc

/// Waiting for descriptors.
package enum Poll {
  /// The descriptors that are readable (or closed at their other end), empty if none is before `timeout`. Interruptions
  /// by signals are waited through.
  package static func wait(readable descriptors: [Int32], timeout: Duration) throws(HostError) -> [Int32] {
    try wait(descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }, timeout)
  }

  /// Whether a descriptor takes something (or is closed at its other end) before `timeout`.
  package static func wait(writable descriptor: Int32, timeout: Duration) throws(HostError) -> Bool {
    try !wait([pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)], timeout).isEmpty
  }

  private static func wait(_ waited: [pollfd], _ timeout: Duration) throws(HostError) -> [Int32] {
    var entries = waited
    let deadline = Deadline(after: timeout)
    while true {
      // Rounded up, so that the last part of a millisecond does not become a spin.
      let milliseconds = (Deadline.nanoseconds(of: deadline.remaining) + 999_999) / 1_000_000
      let count = poll(&entries, nfds_t(entries.count), Int32(clamping: milliseconds))
      if count > 0 { return entries.filter { $0.revents != 0 }.map(\.fd) }
      if count < 0, errno != EINTR {
        throw .system(call: "poll", subject: "descriptors \(waited.map(\.fd))", errno: .current)
      }
      if deadline.hasPassed { return [] }
    }
  }
}
