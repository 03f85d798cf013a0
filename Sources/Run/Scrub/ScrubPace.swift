import Glibc

/// Holds reading back to a rate, so that whoever writes to the same disk has most of it.
final class ScrubPace {
  private let bytesPerSecond: Int
  private let isStopped: () -> Bool
  private let start: ContinuousClock.Instant = .now
  private var byteCount = 0

  /// So many bytes a second; `isStopped` is asked now and then.
  init(bytesPerSecond: Int, isStopped: @escaping () -> Bool) {
    precondition(bytesPerSecond > 0, "\(bytesPerSecond) B a second")
    (self.bytesPerSecond, self.isStopped) = (bytesPerSecond, isStopped)
  }

  private static let slice = Duration.milliseconds(50)

  /// Waits until so many bytes more are due; false where nobody wants them any more.
  func take(_ count: Int) -> Bool {
    byteCount += count
    let due = start + .seconds(Double(byteCount) / Double(bytesPerSecond))
    while !isStopped() {
      let left = due - ContinuousClock.now
      guard left > .zero else { return true }
      usleep(UInt32(max(1, min(left, Self.slice) / .microseconds(1))))
    }
    return false
  }
}
