import Fabric
import Rings
import Run
import RunModel

extension GranuleScore {
  /// What a node's run says of a granule: the lowest of what its workers say who have some of its `rows`, counted in
  /// the node's own images; nil while one of them has no score. `own` are all rows that these have scores of, and
  /// `edge` are the granule's at the edge.
  static func lowest(
    of scores: [WorkerScore], rows own: Range<Int>, run: RunID, granule: Int, edge: Range<Int>
  ) -> GranuleScore? {
    let those = scores.filter { $0.range.overlaps(own) }
    guard those.reduce(0, { $0 + $1.range.clamped(to: own).count }) == own.count,
      var value = those.map(\.value).min(by: { $0.update < $1.update })
    else { return nil }
    for other in those.map(\.value) {
      value.similarity = [value.similarity, other.similarity].compactMap { $0 }.min()
      // Of who is ahead, what came behind that update does not count.
      value.streak = min(value.streak, max(0, other.streak - (other.update - value.update)))
      (value.black, value.white) = (min(value.black, other.black), max(value.white, other.white))
      value.isSettled = value.isSettled && other.isSettled
    }
    return GranuleScore(run: run, granule: granule, rows: edge, value)
  }
}
