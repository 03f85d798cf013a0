import Glibc

/// How much processor time pictures may take: a share of the machine, saved up for a while so that the first pictures
/// and a moved slider come at once. One budget is shared by all that draws for a page. Use from one thread.
final class RenderBudget {
  /// Seconds that may be spent now.
  private var saved: Double
  private var last: ContinuousClock.Instant
  /// Seconds of processor time a second.
  let share: Double

  private static let savedMax = 0.5
  /// Of one core for each core of the machine, and of one core in all.
  private static let (sharePerCore, shareMax) = (0.01, 0.25)

  init(cores: Int, now: ContinuousClock.Instant) {
    share = min(Double(cores) * Self.sharePerCore, Self.shareMax)
    saved = Self.savedMax
    last = now
  }

  /// Whether a picture may be made now. One that was never made may overdraw what was saved once as much again.
  func allows(isNew: Bool, now: ContinuousClock.Instant) -> Bool {
    saved = min(Self.savedMax, saved + share * ((now - last) / .seconds(1)))
    last = now
    return saved > (isNew ? -Self.savedMax : 0)
  }

  /// Runs `body` and takes its processor time from what was saved.
  func spend<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let start = Self.threadSeconds
    defer { saved -= Self.threadSeconds - start }
    return try body()
  }

  private static var threadSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
