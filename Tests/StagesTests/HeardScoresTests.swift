import Rings
import RunModel
import TestSupport
import Testing

@testable import Fabric
@testable import Stages

/// What an edge believes of the scores in granules' leases.
struct HeardScoresTests {
  private static let run = RunID(low: 7, high: 8)
  private static let granules = Granules(rows: 40, each: 16)

  private static func score(
    _ granule: Int, update: Int, run: RunID = run, rows: Range<Int>? = nil, streak: Int = 1
  ) -> GranuleScore {
    GranuleScore(
      run: run, granule: granule, rows: rows ?? granules[granule],
      SliceScore(
        update: update, projections: update + 1, against: 3, similarity: 0.9, streak: streak, black: 0, white: 1))
  }

  private static func lease(
    _ score: GranuleScore?, node: String = "a", epoch: UInt64 = 5, cursor: UInt64 = 0
  ) -> LeaseRecord {
    var lease = LeaseRecord(node: node, epoch: epoch, state: .reading, cursor: cursor)
    lease.score = score
    return lease
  }

  @Test func `A score counts that is of its run, granule and rows, and none that goes back`() {
    var heard = HeardScores(run: Self.run, granules: Self.granules)
    let good = Self.score(2, update: 30)
    heard.take(2, Self.lease(good, epoch: 0), revision: 5, now: .now)
    heard.take(2, Self.lease(good), revision: 6, now: .now)
    #expect(heard.reports(without: [], now: .now).map(\.score) == [good] && heard.damaged == 0)
    let strangers = [
      Self.score(1, update: 31), Self.score(2, update: 31, rows: 32..<48),
      Self.score(2, update: 31, run: RunID(low: 7, high: 9)), Self.score(2, update: 29),
      Self.score(2, update: 30, streak: 9),
    ]
    for (number, stranger) in strangers.enumerated() {
      heard.take(2, Self.lease(stranger), revision: UInt64(7 + number), now: .now)
      // The same value again is counted once.
      heard.take(2, Self.lease(stranger), revision: UInt64(7 + number), now: .now)
      #expect(heard.damaged == number + 1, "\(stranger)")
    }
    #expect(heard.reports(without: [], now: .now).map(\.score) == [good])
    heard.take(0, nil, revision: 3, now: .now)
    #expect(heard.damaged == strangers.count + 1 && heard.reports(without: [], now: .now).count == 1)
    // Another one that has it begins with the first window; one that is made says nothing any more.
    heard.take(2, Self.lease(Self.score(2, update: 4), node: "b", epoch: 20), revision: 21, now: .now)
    #expect(heard.reports(without: [], now: .now).first?.score?.value.update == 4)
    heard.take(2, Self.lease(nil, node: "b", epoch: 0), revision: 30, now: .now)
    #expect(heard.reports(without: [], now: .now).first.map { $0.score == nil } == true)
    #expect(heard.reports(without: [2], now: .now).isEmpty)
    heard.take(2, nil, revision: nil, now: .now)
    #expect(heard.reports(without: [], now: .now).isEmpty && heard.damaged == strangers.count + 1)
  }

  @Test func `Who takes events, or scores, is not silent; who does neither is it in the end`() {
    var heard = HeardScores(run: Self.run, granules: Self.granules)
    let begin = ContinuousClock.now
    func isSilent(_ seconds: Int) -> Bool? {
      heard.reports(without: [], now: begin + .seconds(seconds)).first?.isSilent
    }
    heard.take(1, Self.lease(nil), revision: 1, now: begin)
    #expect(isSilent(29) == false && isSilent(31) == true)
    heard.take(1, Self.lease(nil, cursor: 4), revision: 2, now: begin + .seconds(20))
    #expect(isSilent(49) == false && isSilent(51) == true)
    heard.take(1, Self.lease(Self.score(1, update: 9), cursor: 4), revision: 3, now: begin + .seconds(60))
    #expect(isSilent(89) == false)
    // A renewal that says nothing new is none.
    heard.take(1, Self.lease(Self.score(1, update: 9), cursor: 4), revision: 4, now: begin + .seconds(80))
    #expect(isSilent(91) == true)
  }

  @Test(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
  func `The watch reads scores from leases on a server, and counts what is none`() throws {
    let server = try FabricServer()
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    try FabricStore(connection, run: Self.run).make()
    try FabricStore(nodes: connection).make(lifetime: FabricNames.lifetime)
    let store = try FabricStore(connection, leasesOf: Self.run)
    try store.make(lifetime: FabricNames.lifetime)
    let leases = try (0..<2).map { granule in
      try #require(try FabricLease.take(FabricNames.lease(granule), in: store, LeaseRecord(node: "a")))
    }
    leases[0].record.score = Self.score(0, update: 30)
    leases[1].record.score = Self.score(2, update: 30)
    try FabricLease.renew(leases)
    try store.put(FabricNames.lease(2), Array(#"{"layout":1,"node":"a","score":{"black":1e999}}"#.utf8))
    for hears in [true, false] {
      let watch = FabricWatch(
        run: Self.run, granules: Self.granules, wanted: nil, hearsScores: hears, noticed: { _ in }, write: { _ in true }
      )
      try watch.attach(connection)
      try watch.turn()
      var report = UplinkReport(fabric: server.address)
      watch.note(in: &report)
      guard hears else {
        #expect(report.scores == nil && report.scoresHeardAt == nil && report.scoresDamaged == nil)
        continue
      }
      #expect(report.scores?.map(\.granule) == [0, 1] && report.scores?.first?.score == leases[0].record.score)
      #expect(report.scores?.last.map { $0.score == nil && $0.node == "a" && !$0.isSilent } == true)
      #expect(report.scoresDamaged == 2 && report.scoresHeardAt != nil, "\(report)")
    }
  }
}
