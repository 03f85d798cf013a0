package import RunModel

/// How similar a run's volume is to an earlier one, as its status, page and figures say it: the lowest of the newest
/// scores of all who have rows of it, because each of them has to be similar for the scan to end.
package struct RunSimilarity {
  private var newest: [Int: ScoreEvent] = [:]

  /// Before any score.
  package init() {}

  /// Takes the next score of the run's `scores`.
  package mutating func add(_ score: ScoreEvent) { newest[score.worker] = score }

  /// The newest score of a worker.
  package func score(of worker: Int) -> ScoreEvent? { newest[worker] }

  /// The lowest of the workers in `counted`, and of those granules of nodes that count; nil where none of them was
  /// compared. `uplink` says what nodes say of their slices; what `scores` has of granules may be of one that is made
  /// since, or whose node is silent.
  package func lowest(amongst counted: [Int], _ uplink: UplinkReport?) -> Double? {
    let granules = (uplink?.scores ?? []).filter { !$0.isSilent }
    return (counted.compactMap { newest[$0]?.similarity } + granules.compactMap(\.similarity)).min()
  }
}
