/// Decides from a stage's signs of life whether its process hangs.
///
/// Time alone does not tell: on a machine that was asleep, or is short of processors, the watcher is late as well. So a
/// process hangs only when the watcher itself came to look so many times, each look a beat's length after the one
/// before, and saw no change.
struct HeartbeatWatch {
  /// What a process says of itself.
  enum Sign: Equatable {
    /// It has not begun.
    case notBegun
    /// It has beaten so often.
    case beats(UInt64)
    /// Its work is done; it is ending.
    case done
  }

  /// How long a process may be silent.
  struct Limits {
    /// While it works.
    var working: Duration = .seconds(2)
    /// Before its first beat, and after its last one: to load the program, to give back memory.
    var beginningOrEnding: Duration = .seconds(30)
    /// Between two looks at least.
    var lookPeriod = Heartbeats.period
  }

  private let limits: Limits
  private var sign = Sign.notBegun
  private var changed: ContinuousClock.Instant
  private var looked: ContinuousClock.Instant
  private var looksWithoutChange = 0

  /// A watch over a process that was started at `start`.
  init(limits: Limits = Limits(), start: ContinuousClock.Instant) {
    self.limits = limits
    (changed, looked) = (start, start)
  }

  /// Takes note of a sign. Returns how long the process has been silent if that means that it hangs, otherwise nil.
  mutating func look(_ sign: Sign, at now: ContinuousClock.Instant) -> Duration? {
    guard sign == self.sign else {
      (self.sign, changed, looked, looksWithoutChange) = (sign, now, now, 0)
      return nil
    }
    guard now - looked >= limits.lookPeriod else { return nil }
    looked = now
    looksWithoutChange += 1
    let limit = if case .beats = sign { limits.working } else { limits.beginningOrEnding }
    let looks = Int((limit / limits.lookPeriod).rounded(.up))
    return now - changed >= limit && looksWithoutChange >= looks ? now - changed : nil
  }
}
