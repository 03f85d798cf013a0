import Logging
import RunModel

extension DistributeStage: Stage {
  /// Distributes to all workers.
  package static func work(in environment: some StageEnvironment) throws {
    let settings = environment.settings
    let stage = DistributeStage(
      configuration: settings.distribution, projections: try environment.reader(settings.images),
      orders: try (0..<environment.workers).map { try environment.writer(.orders(partition: $0)) },
      updates: try (0..<environment.workers).map { try environment.observer(.updates(partition: $0)) },
      gauges: settings.distribution.obeysTriggers ? try environment.gauges() : nil,
      limits: environment.limits, noticed: { environment.log.warning("no rotation axis: \($0)") },
      didWork: environment.didWork)
    try stage.run()
  }
}
