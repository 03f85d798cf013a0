package import Rings

/// Whether the edge of a run is there: whether its uplink has the right to publish. Use from one thread at a time.
package final class EdgeWatch {
  private let leases: FabricStore
  /// When the edge was last there, or nobody could say whether it was; and whether it was away when last looked for.
  private var (seen, isAway) = (ContinuousClock.now, false)
  private var due = ContinuousClock.now

  /// How often servers are asked, and how long they may take to answer.
  private static let (period, limit) = (Duration.seconds(2), Duration.seconds(1))
  /// How long an edge may be away before a person hears of it: longer than its uplink takes to be started again.
  package static let toldAfter: Duration = .seconds(30)

  /// Begins as if the edge of `run` were there. Nothing is asked of the servers yet.
  package init(_ connection: FabricConnection, run: RunID) throws(FabricError) {
    leases = try FabricStore(connection, leasesOf: run, limit: Self.limit)
  }

  /// How long the edge has been away. Asks the servers now and then; those that do not answer say nothing of it.
  package func away() -> Duration {
    if ContinuousClock.now >= due {
      isAway = !isThere()
      if !isAway { seen = .now }
      due = .now + Self.period
    }
    return isAway ? .now - seen : .zero
  }

  /// Whether it is there, or may be. Who removed everything of the run has removed its edge's right as well.
  private func isThere() -> Bool {
    do throws(FabricError) { return try leases.get(FabricNames.uplink) != nil } catch { return !error.isMissing }
  }
}
