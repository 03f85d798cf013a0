import Glibc

/// An error number of the C library.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// The number, as in `<errno.h>`.
  package let rawValue: Int32

  /// The error of that number.
  package init(rawValue: Int32) { self.rawValue = rawValue }

  /// The error of the calling thread's last failed call.
  package static var current: Errno { Errno(rawValue: errno) }

  /// Whether a disk is full, or this user's part of it: a call that failed so succeeds once something was removed.
  package var isNoSpace: Bool { rawValue == ENOSPC || rawValue == EDQUOT }

  /// What strerror(3) says.
  package var description: String { String(cString: strerror(rawValue)) }
}
