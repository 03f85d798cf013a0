import Glibc

/// An error number of the C library.
public struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// The number, as in `<errno.h>`.
  public let rawValue: Int32

  /// The error of that number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The error of the calling thread's last failed call.
  public static var current: Errno { Errno(rawValue: errno) }

  /// What strerror(3) says.
  public var description: String { String(cString: strerror(rawValue)) }
}
