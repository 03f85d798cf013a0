/// Whether rows are packed on their way up, with `--uplink auto`: where the link does not keep up, and the machine has
/// a core that nobody needs. Packing changes no bit of what nodes have.
///
/// ```
///            three looks in a row: more events wait than before, a core idles
///   as they are ───────────────────────────────────────────────────────────────► packed
///        ▲                                                                          │
///        └── ten looks in a row with nothing waiting, or three without half a core ─┘
/// ```
struct PackingChoice {
  /// Whether rows are packed from now on.
  private(set) var packs = false
  private var lag: UInt64 = 0
  private var (grown, caughtUp, busy) = (0, 0, 0)

  /// Looks in a row that have it begin, and end.
  private static let (grownMin, caughtUpMin, busyMin) = (3, 10, 3)
  /// Events that always may wait: those under way.
  private static let lagMin: UInt64 = 8
  /// Cores that have to idle: to begin with all of one, then as much as is left beside the packing.
  private static let (idleToBegin, idleToStay) = (1.0, 0.5)

  /// Takes one look, a second after the last: events that wait, and how many cores had nothing to do since then; nil
  /// where nobody knows.
  mutating func look(lag: UInt64, idleCores: Double?) {
    let (isGrowing, idle) = (lag > self.lag && lag >= Self.lagMin, idleCores ?? 0)
    self.lag = lag
    guard packs else {
      grown = isGrowing && idle >= Self.idleToBegin ? grown + 1 : 0
      if grown >= Self.grownMin { (packs, grown, caughtUp, busy) = (true, 0, 0, 0) }
      return
    }
    caughtUp = lag < Self.lagMin ? caughtUp + 1 : 0
    busy = idle < Self.idleToStay ? busy + 1 : 0
    if caughtUp >= Self.caughtUpMin || busy >= Self.busyMin { (packs, grown) = (false, 0) }
  }
}
