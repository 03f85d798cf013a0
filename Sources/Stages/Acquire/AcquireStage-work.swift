import Detectors
import Logging
import RunModel

extension AcquireStage: Stage {
  /// Opens the source, listens for orders to stop, and acquires.
  package static func work(in environment: some StageEnvironment) throws {
    let (settings, log) = (environment.settings, environment.log)
    let source = try settings.makeSource(origin: environment.sourceOrigin) { notice in
      switch notice {
      case .listening: log.notice("\(notice.words)")
      case .announced(let series):
        log.notice("\(notice.words)")
        environment.note(SourceOrigin(series: series))
      case .began(let origin, _):
        log.notice("\(notice.words)")
        environment.note(origin)
      case .interrupted:
        log.warning("\(notice.words)")
        environment.didInterrupt(notice.words)
      case .remark:
        log.warning("\(notice.words)")
        environment.didRemark(notice.words)
      case .gaveUp:
        log.warning("\(notice.words)")
        environment.didGiveUp(notice.words)
      case .disconnected, .empty: log.warning("\(notice.words)")
      // The first of each kind tells what is wrong; the ledger counts the others.
      case .dropped(let fault, let detail, let count):
        guard count == 1 else { return }
        log.warning("\(notice.words)")
        environment.didDrop(fault, detail)
      }
    }
    source.startPrograms { try environment.startProgram($0, input: $1, output: $2) }
    let notice = try settings.stopHook.map { StopNotice(hook: $0, run: settings.run, log: log) }
    let orders = StopOrders(
      commands: try environment.reader(.commands), signalReceived: environment.stopRequested,
      willStop: { if let report = notice?.send(reason: $0) { try environment.write(report, as: .stop) } })
    var stage = AcquireStage(
      source: source, writer: try environment.writer(.projections), rate: settings.sourceRate,
      limits: environment.limits, stopRequested: orders.reason, didWork: environment.didWork,
      didEnd: { try environment.write(LossReport($0, firstFrame: settings.firstFrame), as: .losses) })
    try stage.run()
  }
}
