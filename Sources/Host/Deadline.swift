/// A point in monotonic time until which something is waited for.
package struct Deadline: Sendable {
  private let nanoseconds: UInt64

  /// The moment that lies `timeout` ahead; a negative timeout is now, a very long one is in 292 years.
  package init(after timeout: Duration) {
    nanoseconds = Machine.monotonicNanoseconds &+ UInt64(Self.nanoseconds(of: timeout))
  }

  /// The time that is left, zero when it has passed.
  package var remaining: Duration {
    let now = Machine.monotonicNanoseconds
    return now < nanoseconds ? .nanoseconds(Int64(clamping: nanoseconds - now)) : .zero
  }

  /// Whether no time is left.
  package var hasPassed: Bool { Machine.monotonicNanoseconds >= nanoseconds }

  /// A duration in whole nanoseconds, clamped to 0 … Int64.max.
  static func nanoseconds(of duration: Duration) -> Int64 {
    guard duration > .zero else { return 0 }
    let (seconds, attoseconds) = duration.components
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflows) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isTooLong || overflows ? .max : sum
  }
}
