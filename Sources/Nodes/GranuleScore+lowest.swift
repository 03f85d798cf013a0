import Fabric
import Rings
import Run

extension GranuleScore {
  /// What a node's run says of a granule: the lowest of what its workers say who have some of its `rows`, counted in
  /// the node's own images; nil while one of them has no score. `own` are all rows that these have scores of, and
  /// `edge` are the granule's at the edge.
  static func lowest(
    of scores: [WorkerScore], rows own: Range<Int>, run: RunID, granule: Int, edge: Range<Int>
  ) -> GranuleScore? {
    let those = scores.filter { $0.range.overlaps(own) }
    guard those.reduce(0, { $0 + $1.range.clamped(to: own).count }) == own.count,
      let last = those.min(by: { $0.update < $1.update }),
      let black = those.map(\.black).min(), let white = those.map(\.white).max()
    else { return nil }
    return GranuleScore(
      run: run, granule: granule, rows: edge, update: last.update, projections: last.projections,
      against: last.against, similarity: those.compactMap(\.similarity).min(),
      // Of who is ahead, what came behind that update does not count.
      streak: those.map { max(0, $0.streak - ($0.update - last.update)) }.min() ?? 0, black: black, white: white,
      isSettled: those.allSatisfy(\.isSettled))
  }
}
