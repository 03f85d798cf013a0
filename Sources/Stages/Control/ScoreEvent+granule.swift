import Fabric
import RunModel

extension ScoreEvent {
  /// What a node says of a granule, as that of `worker`.
  init(_ score: GranuleScore, worker: Int) {
    self.init(
      worker: worker, streak: score.streak, update: score.update, projections: score.projections,
      against: score.against, similarity: score.similarity, truth: nil, range: score.black...score.white,
      isSettled: score.isSettled)
  }
}
