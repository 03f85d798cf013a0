internal import CLinux
internal import Glibc

/// Signals as a descriptor to poll instead of handlers that interrupt.
package final class SignalDescriptor {
  /// Readable when a signal is pending; closed with this object, while the signals stay blocked.
  package let descriptor: Int32

  /// Blocks the signals in the calling thread and in the threads that it starts afterwards: make it before any other
  /// thread.
  package init(signals: [Int32]) throws(HostError) {
    descriptor = clinux_signalfd(signals, Int32(signals.count))
    guard descriptor >= 0 else {
      throw .system(call: "signalfd", subject: "signals \(signals)", errno: Errno(rawValue: -descriptor))
    }
  }

  deinit { close(descriptor) }

  /// The next pending signal, nil if there is none; never waits.
  package func next() throws(HostError) -> Int32? {
    let result = clinux_signalfd_next(descriptor)
    guard result >= 0 else {
      throw .system(call: "read", subject: "signal descriptor", errno: Errno(rawValue: -result))
    }
    return result == 0 ? nil : result
  }
}
