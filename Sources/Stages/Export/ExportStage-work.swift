import Host
import RunModel

extension ExportStage: Stage {
  /// Exports, and reports what was written.
  package static func work(in environment: some StageEnvironment) throws {
    let workers = 0..<environment.workers, configuration = environment.settings.export
    let stage = ExportStage(
      configuration: configuration, updates: try workers.map { try environment.reader(.updates(partition: $0)) },
      commands: try environment.reader(.commands), volumes: try workers.map(environment.volume),
      denoised: configuration.denoised == nil
        ? nil : (try environment.reader(.denoised), try environment.denoisedVolume()),
      limits: environment.limits, room: environment.outputRoom, standing: environment.standing(ofWorker:),
      stopRequested: environment.stopRequested,
      didWork: environment.didWork,
      losses: environment.readLosses, thetas: environment.liveThetas, axis: environment.foundAxis)
    guard let report = try stage.run() else { return }
    FaultPoint.exportAfter.reach()
    try environment.write(report, as: .export)
  }
}
