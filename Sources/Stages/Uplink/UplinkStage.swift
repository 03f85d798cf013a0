import Logging
import RunModel

/// Hands the images of a scan, cut by rows, to a fabric, from which nodes read them. It keeps no state of its own:
/// where it is, the streams say.
package struct UplinkStage: Stage {
  /// Publishes every event, until all are acknowledged or it is asked to end.
  package static func work(in environment: some StageEnvironment) throws {
    guard let configuration = environment.settings.uplink else {
      preconditionFailure("\(environment.stage) without a fabric")
    }
    let log = environment.log, distribution = environment.settings.distribution
    let pace =
      distribution.changesPace
      ? OrderedPace(try environment.follower(.orders(partition: 0)), rows: distribution.rows[0]) : nil
    let previews =
      configuration.showsPreviews
      ? try PreviewThread(configuration, images: try environment.follower(configuration.images)) : nil
    let uplink = Uplink(
      configuration, images: try environment.follower(configuration.images), pace: pace, previews: previews,
      stopRequested: environment.stopRequested, didWork: environment.didWork,
      noticed: { log.notice("\($0)") },
      write: { report in
        // Nodes do not wait for room on the edge's disk; what becomes of them does, once there is nothing left to do.
        guard report.isOver else { return try environment.writeIfRoom(report, as: .uplink) }
        try environment.write(report, as: .uplink)
        return true
      }, writeParts: { try environment.writeIfRoom(PartList(parts: $0), as: .parts) })
    try uplink.run()
  }
}
