internal import CLinux
internal import Glibc

/// A word that threads of several processes sleep on and wake each other through: futex(2), not private, monotonic
/// time.
package enum Futex {
  /// Sleeps while the word holds `value`, at most `timeout`. May return early for no reason: the caller checks its
  /// condition again.
  package static func wait(on word: UnsafeMutablePointer<UInt32>, while value: UInt32, timeout: Duration) {
    let result = clinux_futex_wait(word, value, Deadline.nanoseconds(of: timeout))
    precondition(
      result == 0 || result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR,
      "futex wait: \(Errno(rawValue: -result))")
  }

  /// Wakes at most `count` sleepers; everybody by default.
  package static func wake(_ word: UnsafeMutablePointer<UInt32>, count: Int32 = .max) {
    let result = clinux_futex_wake(word, count)
    precondition(result >= 0, "futex wake: \(Errno(rawValue: -result))")
  }
}

/// Tells the processor that the calling thread spins for a moment.
package func spinPause() { clinux_pause() }
