import Fabric
import Host
import Rings
import RunModel
import Testing

@testable import Stages

/// What an edge decides with, where nodes have granules of its scan.
struct NodeScoresTests {
  private static let granules = Granules(rows: 48, each: 16)

  /// A score that a node says of a granule.
  private static func said(
    _ granule: Int, update: Int, streak: Int, similarity: Double = 0.95
  ) -> UplinkReport.Granule {
    let score = GranuleScore(
      run: RunID(low: 1, high: 2), granule: granule, rows: granules[granule],
      SliceScore(
        update: update, projections: update + 1, against: max(0, update - 7), similarity: similarity, streak: streak,
        black: 0, white: 1))
    return UplinkReport.Granule(granule: granule, node: "a", score: score, isSilent: false)
  }

  private static func report(_ scores: [UplinkReport.Granule], at: Double = 1000) -> UplinkReport {
    var report = UplinkReport(fabric: "nats://a")
    (report.scores, report.scoresHeardAt) = (scores, at)
    return report
  }

  private static func event(_ worker: Int, update: Int, streak: Int) -> ScoreEvent {
    let value = SliceScore(
      update: update, projections: update + 1, against: 1, similarity: 0.9, streak: streak, black: 0, white: 1)
    return ScoreEvent(worker: worker, value, truth: nil)
  }

  @Test func `The window that counts is the newest that all have scored, if it was similar everywhere`() {
    func agreed(_ scores: [(update: Int, streak: Int)]) -> Int? {
      let events = scores.enumerated().map { Self.event($0, update: $1.update, streak: $1.streak) }
      return NodeScores.agreed(events, patience: 2, spacing: 4)?.update
    }
    #expect(agreed([(39, 2), (39, 2), (39, 5)]) == 39)
    #expect(agreed([(39, 2), (39, 1)]) == nil)
    // Who is two looks ahead was similar at that window only with two scores more.
    #expect(agreed([(39, 2), (47, 3)]) == nil && agreed([(39, 2), (47, 4)]) == 39)
    #expect(agreed([(47, 9), (39, 1)]) == nil && agreed([]) == nil)
  }

  @Test func `Nobody decides before it is known who has granules, nor before all of them said something`() throws {
    var scores = NodeScores(workers: 2, after: [], now: 1000)
    #expect(scores.said == nil)
    #expect(scores.take(nil, now: 1010).isChanged == false && scores.said == nil)
    var heard = Self.report([], at: 1010)
    #expect(scores.take(heard, now: 1010).isChanged && scores.said == [])
    heard.scores = [Self.said(0, update: 9, streak: 2), .init(granule: 1, node: "b", score: nil, isSilent: false)]
    let (new, isChanged) = scores.take(heard, now: 1011)
    // Behind the two workers.
    #expect(isChanged && new.map(\.worker) == [2] && new.first?.similarity == 0.95 && scores.said == nil)
    #expect(scores.take(heard, now: 1012).new.isEmpty && scores.words == ", in 2 granules of nodes as well")
    heard.scores?[1].isSilent = true
    #expect(scores.take(heard, now: 1013).isChanged && scores.said?.map(\.worker) == [2])
    heard.scores = [.init(granule: 0, node: "c", score: nil, isSilent: false)]
    #expect(scores.take(heard, now: 1014).new.isEmpty && scores.said == nil)
    // Servers that say nothing any more are waited for as long as a node.
    #expect(scores.take(heard, now: 1039).isChanged == false && scores.said == nil)
    #expect(scores.take(heard, now: 1041).isChanged && scores.said == [])
  }

  @Test func `A successor does not tell again what its predecessor told`() {
    var scores = NodeScores(
      workers: 1, after: [Self.event(2, update: 9, streak: 3), Self.event(2, update: 5, streak: 1)], now: 1000)
    var told = Self.report([Self.said(1, update: 9, streak: 3)])
    told.scores?[0].score = GranuleScore(
      run: RunID(low: 1, high: 2), granule: 1, rows: 16..<32, Self.event(2, update: 9, streak: 3).value)
    #expect(scores.take(told, now: 1001).new.isEmpty && scores.said?.map(\.update) == [9])
  }

  /// Noise that fades, and is gone after 40 updates.
  private static func course() -> ControlBench.Course {
    .init { ControlBench.image($0, noise: max(0, 0.8 - 0.02 * Float($0))) }
  }

  private static func decide(
    _ report: @escaping (Int) -> UplinkReport?, change: (inout ControlConfiguration) -> Void = { _ in }
  ) throws -> (commands: [CommandEvent], scores: [ScoreEvent]) {
    var configuration = ControlBench.configuration(similarityMin: 0.9)
    configuration.hearsNodes = true
    change(&configuration)
    let bench = try ControlBench(configuration)
    bench.uplink = { [unowned bench] in report(bench.made) }
    var course = course()
    (course.updates, course.pause) = (120, 10_000)
    try bench.live(course)
    return try bench.told()
  }

  private static var now: Double { Double(Machine.realtimeNanoseconds) / 1e9 }

  @Test func `A granule whose slices are not similar yet holds the end up, and then all end at its window`() throws {
    let alone = try ControlBench.decide(ControlBench.configuration(similarityMin: 0.9), Self.course())
    let first = try #require(alone.commands.first).projections
    let (commands, scores) = try Self.decide({ made in
      let (update, streak) = made < 70 ? (15, 0) : (55, 2)
      return Self.report([Self.said(2, update: update, streak: streak, similarity: 0.91)], at: Self.now)
    })
    let command = try #require(commands.first)
    // Update 55 ends at projection 56, far behind the moment at which the edge's own slices were similar.
    #expect(commands.count == 1 && command.projections == 56 && first < 56, "\(commands) \(first)")
    #expect(command.words.contains("in 1 granule of nodes as well") && command.words.contains("0.91"), "\(command)")
    #expect(scores.filter { $0.worker == 3 }.map(\.update) == [15, 55], "\(scores.map(\.worker))")
  }

  @Test func `Where nobody has a granule the edge decides alone, and a node never does`() throws {
    #expect(try Self.decide({ _ in Self.report([], at: Self.now) }).commands.count == 1)
    #expect(try Self.decide({ _ in nil }).commands.isEmpty)
    let node = try Self.decide({ _ in nil }, change: { ($0.decides, $0.hearsNodes) = (false, false) })
    #expect(node.commands.isEmpty && node.scores.contains { $0.streak > 1 })
  }
}
