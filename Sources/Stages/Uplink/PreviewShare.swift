/// When the next preview may go up: one a second at most, and with a tenth of the bytes of the link. What waits of the
/// projections themselves is not held up by more than that; where nothing waits, nothing is held up at all.
struct PreviewShare {
  /// Bytes of projections that have to go up for each byte of a preview.
  private static let projectionsMin: UInt64 = 9
  private static let interval: Duration = .seconds(1)

  /// Bytes of projections that still have to go up.
  private var owed: UInt64 = 0
  private var acknowledged: UInt64 = 0
  private var due = ContinuousClock.now

  /// Takes note of how much went up of the projections of this uplink, and whether some of them wait.
  mutating func note(acknowledged bytes: UInt64, isBehind: Bool) {
    let new = bytes - min(bytes, acknowledged)
    acknowledged = bytes
    owed = isBehind ? owed - min(owed, new) : 0
  }

  /// Takes note of a preview of so many bytes that went up.
  mutating func sent(_ byteCount: Int, at now: ContinuousClock.Instant = .now) {
    owed = UInt64(byteCount) * Self.projectionsMin
    due = now + Self.interval
  }

  /// Whether the next one may go.
  func isDue(at now: ContinuousClock.Instant = .now) -> Bool { owed == 0 && now >= due }
}
