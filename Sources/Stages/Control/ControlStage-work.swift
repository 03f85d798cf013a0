import RunModel

extension ControlStage: Stage {
  /// Watches all workers.
  package static func work(in environment: some StageEnvironment) throws {
    let workers = 0..<environment.workers, truths = try environment.settings.monitoredTruths()
    var stage = try ControlStage(
      configuration: environment.settings.control,
      updates: try workers.map { try environment.reader(.updates(partition: $0)) },
      slices: try truths.enumerated().map { worker, truth in
        MonitoredSlice(volume: try environment.volume(worker), truth: truth)
      },
      commands: try environment.writer(.commands), scores: try environment.writer(.scores),
      limits: environment.limits, requested: environment.finalizeRequester, didWork: environment.didWork)
    try stage.run()
  }
}
