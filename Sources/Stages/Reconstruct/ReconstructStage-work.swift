import Host
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
      slices: try environment.slices(worker), solverStates: try environment.solverStates(worker),
      checkpoint: environment.checkpoint, pool: try environment.threads(),
      threadsMax: environment.threadsMax, limits: environment.limits, widerPool: environment.widerThreads,
      noticed: { environment.log.warning("\($0)") }, told: { environment.log.notice("\($0)") },
      didWork: environment.didWork, didSave: environment.didSave)
    let failure: FileError?
    do {
      failure = try stage.run()
    } catch StageError.damaged(let what) {
      // What it has in its own memory cannot be taken back, so it dies: its successor begins with what is whole.
      environment.log.error("\(what) is not what was written there: starting again with what is whole")
      ChildProcess.die()
    }
    guard let failure else { return }
    environment.log.warning(
      "the finished volume is not saved in the run's folder", metadata: ["reason": "\(failure)"])
  }
}
