import RunModel

extension ControlStage: Stage {
  /// Watches all workers.
  package static func work(in environment: some StageEnvironment) throws {
    let workers = 0..<environment.workers, truths = try environment.settings.monitoredTruths()
    var stage = try ControlStage(
      configuration: environment.settings.control,
      updates: try workers.map { try environment.reader(.updates(partition: $0)) },
      slices: try truths.enumerated().compactMap { worker, truth in
        try environment.slices(worker).map { MonitoredSlice(history: $0, truth: truth) }
      },
      commands: try environment.writer(.commands), scores: try environment.writer(.scores),
      uplink: environment.readUplink,
      limits: environment.limits, standing: environment.standing(ofWorker:),
      requested: environment.finalizeRequester, didWork: environment.didWork)
    try stage.run()
  }
}
