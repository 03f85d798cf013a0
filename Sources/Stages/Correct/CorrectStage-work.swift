import Logging
import RunModel

extension CorrectStage: Stage {
  /// Corrects, and logs what was found.
  package static func work(in environment: some StageEnvironment) throws {
    guard let configuration = environment.settings.correction else {
      preconditionFailure("the run filters no projections")
    }
    var stage = CorrectStage(
      configuration: configuration, projections: try environment.reader(.projections),
      corrected: try environment.writer(.corrected), pool: try environment.threads(), limits: environment.limits,
      didWork: environment.didWork)
    let findings = try stage.run()
    environment.log.info(
      "corrected",
      metadata: [
        "zingers": "\(findings.zingers)", "nonFinite": "\(findings.pixels.nonFinite)",
        "dead": "\(findings.pixels.dead)",
      ])
  }
}
