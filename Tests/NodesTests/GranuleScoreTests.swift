import Fabric
import Foundation
import Rings
import Run
import RunModel
import Testing

@testable import Nodes

/// What a node says of a granule whose rows several of its workers have.
struct GranuleScoreTests {
  private static let run = RunID(low: 1, high: 2)

  /// A worker's score, as its run's status has it.
  private static func score(_ rows: Range<Int>, _ value: SliceScore) throws -> WorkerScore {
    var fields = try #require(JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? [String: Any])
    (fields["firstRow"], fields["rows"]) = (rows.lowerBound, rows.count)
    return try JSONDecoder().decode(WorkerScore.self, from: JSONSerialization.data(withJSONObject: fields))
  }

  private static func lowest(_ scores: [WorkerScore], _ rows: Range<Int>) -> SliceScore? {
    GranuleScore.lowest(of: scores, rows: rows, run: run, granule: 1, edge: 16..<32)?.value
  }

  @Test func `A granule has the lowest of its workers' scores, at the window that all of them have`() throws {
    let behind = SliceScore(
      update: 20, projections: 21, against: 5, similarity: 0.9, streak: 3, black: -1, white: 2, isSettled: true)
    let ahead = SliceScore(
      update: 24, projections: 25, against: 9, similarity: 0.8, streak: 6, black: 0, white: 4, isSettled: false)
    let scores = [try Self.score(0..<10, behind), try Self.score(10..<16, ahead)]
    #expect(scores[1].range == 10..<16 && scores[1].value == ahead)
    // Of the six in a row of who is ahead four came behind update 20.
    let both = SliceScore(
      update: 20, projections: 21, against: 5, similarity: 0.8, streak: 2, black: -1, white: 4, isSettled: false)
    #expect(Self.lowest(scores, 0..<16) == both && Self.lowest(scores.reversed(), 0..<16) == both)
    #expect(Self.lowest(scores, 10..<16) == ahead && Self.lowest(scores, 2..<8) == behind)
    // While a worker has none, nor has the granule.
    #expect(Self.lowest([scores[0]], 8..<12) == nil && Self.lowest([], 0..<4) == nil)
    var none = ahead
    none.similarity = nil
    #expect(Self.lowest([scores[0], try Self.score(10..<16, none)], 0..<16)?.similarity == 0.9)
  }
}
