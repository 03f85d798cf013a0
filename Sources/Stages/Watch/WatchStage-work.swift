import RunModel

extension WatchStage: Stage {
  /// Watches the run until it is asked to stop.
  package static func work(in environment: some StageEnvironment) throws {
    guard let configuration = environment.settings.watching else {
      preconditionFailure("\(environment.stage) without anything to watch")
    }
    var stage = WatchStage(
      configuration, writer: try environment.writer(.alarms), gauges: try environment.gauges(),
      figures: try RunFigures(
        configuration, observer: environment.observer, workers: environment.workers,
        counted: { (0..<environment.workers).filter { environment.standing(ofWorker: $0) == .expected } },
        uplink: environment.settings.control.hearsNodes ? environment.readUplink : nil),
      Environment(
        run: environment.settings.run, log: environment.log, stopRequested: environment.stopRequested,
        didWork: environment.didWork, finalize: environment.finalize(by:),
        startProgram: environment.startProgram(_:input:output:)))
    try stage.run()
  }
}
