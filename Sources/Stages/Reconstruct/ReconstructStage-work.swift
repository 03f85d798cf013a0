import Logging
import RunModel

extension ReconstructStage: Stage {
  /// Reconstructs one worker's rows.
  package static func work(in environment: some StageEnvironment) throws {
    guard let worker = environment.stage.partition else { preconditionFailure("\(environment.stage) has no rows") }
    let settings = environment.settings
    let stage = ReconstructStage(
      configuration: settings.reconstruction(ofWorker: worker),
      orders: try environment.reader(.orders(partition: worker)),
      projections: try environment.reader(settings.images),
      updates: try environment.writer(.updates(partition: worker)), volume: try environment.volume(worker),
      checkpoint: environment.checkpoint, pool: try environment.threads(), limits: environment.limits,
      didWork: environment.didWork, didSave: environment.didSave)
    guard let failure = try stage.run() else { return }
    environment.log.warning(
      "the finished volume is not saved in the run's folder", metadata: ["reason": "\(failure)"])
  }
}
